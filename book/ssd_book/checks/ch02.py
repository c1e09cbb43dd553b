"""Exercises of chapter 2: regions in cells, RoIAlign, YOLO's grid, and what a batch waits for."""

from ssd_book.checks import ch02_truth as truth
from ssd_book.checks.engine import Exercise, Mistake, Property
from ssd_book.checks.properties import (
    agrees,
    behaves_like,
    equals,
    gives,
    is_numbers,
    returns,
)

EXERCISES = (
    Exercise(
        "02.1",
        "A region in cells",
        "five numbers: first column, first row, last column, last row, and how many cells"
        " these are",
        (
            is_numbers(
                "There are five numbers.",
                "first column",
                "first row",
                "last column",
                "last row",
                "cells",
            ),
            equals(
                "They are what RoI pooling reads, and how many cells that is.",
                truth.cells_and_count,
                (
                    "Divide each edge by the stride, and round to the nearest whole number.",
                    "From 4 to 13 there are ten columns: the last one is read, too.",
                ),
            ),
        ),
        (
            gives(truth.rounded_down, "You round down. RoI pooling rounds to the nearest cell."),
            gives(
                truth.without_the_last,
                "The cells are right, their number is not: the last column and row count as well.",
            ),
            gives(truth.rows_first, "Columns come first: an x divided by the stride is a column."),
            gives(
                lambda: truth.cells_and_count(2 * truth.STRIDE),
                "These are the cells of a map with a stride of 32.",
            ),
        ),
    ),
    Exercise(
        "02.2",
        "RoIAlign in a few lines",
        "a function of a map [C, H, W], a region, stride and bins that returns [C, bins, bins]",
        (
            returns(
                "The result has bins x bins numbers per channel.",
                truth.align_cases,
                lambda grid, region, stride, bins: (len(grid), bins, bins),
                ("`interpolate` returns one number per channel, [C], for one place.",),
            ),
            agrees(
                "Each number is the value of the map in the middle of its bin.",
                truth.aligned,
                truth.align_cases,
                (
                    "In cells the region is (right - left) / stride wide, each bin a share of it.",
                    "On a map whose value is the number of the column, the first bin of your result"
                    " should be the column where that bin has its middle. Is it?",
                ),
                tolerance=1e-4,
            ),
        ),
        (
            behaves_like(
                truth.without_the_half_cell,
                truth.align_cases,
                "Everything lies half a cell too far to the right and too low. Cell 0 has its"
                " centre at half a stride, and `interpolate` counts from that centre.",
                tolerance=1e-4,
            ),
            behaves_like(
                truth.at_the_corner,
                truth.align_cases,
                "Your points are the upper left corners of the bins.",
                tolerance=1e-4,
            ),
            behaves_like(
                truth.rounded_first,
                truth.align_cases,
                "You round the edges to whole cells. RoIAlign does not round anything.",
                tolerance=1e-4,
            ),
            behaves_like(
                truth.turned,
                truth.align_cases,
                "Rows and columns are exchanged: in [C, bins, bins] the row comes first, and the"
                " row belongs to y.",
                tolerance=1e-4,
            ),
        ),
        function=True,
    ),
    Exercise(
        "02.3",
        "Who gets the cell?",
        "a function of boxes [G, 4], labels [G] and cells that returns a label per cell"
        " [cells, cells]",
        (
            returns(
                "The result has a whole number per cell.",
                truth.grid_cases,
                lambda boxes, labels, cells: (cells, cells),
                ("Begin with `torch.full((cells, cells), -1)`.",),
                integers=True,
            ),
            agrees(
                "A cell has the label of the first object with its centre there, and -1 if there"
                " is none.",
                truth.owners,
                truth.grid_cases,
                (
                    "The column is the whole part of the centre's x times `cells`.",
                    "Go through the objects in their order; leave a cell that is taken as it is.",
                ),
            ),
        ),
        (
            behaves_like(
                truth.last_wins,
                truth.grid_cases,
                "A later object replaces an earlier one. The cell keeps the first.",
            ),
            behaves_like(
                truth.columns_first,
                truth.grid_cases,
                "x chooses the column and y the row, and in a tensor the row comes first.",
            ),
            behaves_like(
                truth.by_corner,
                truth.grid_cases,
                "You use the upper left corner. The centre of a box chooses its cell.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "02.4",
        "Waiting for a batch",
        "two numbers, in milliseconds: one picture at a time, and in batches of 8",
        (
            is_numbers("There are two numbers.", "one at a time, ms", "in batches, ms"),
            equals(
                "They are the times from the first picture to its detections.",
                truth.waits,
                (
                    "46 pictures a second are 1000 / 46 milliseconds per picture.",
                    "In a batch, the first picture waits until the eighth is there; then the batch"
                    " runs, and a batch is eight pictures of work.",
                ),
                tolerance=1.0,
            ),
        ),
        (
            gives(
                lambda: truth.waits(frames=0),
                "That is the work for the batch. Before it can begin, seven more pictures must"
                " come.",
                tolerance=1.0,
            ),
            gives(
                lambda: truth.waits(frames=truth.BATCH),
                "After the first picture seven more come, not eight.",
                tolerance=1.0,
            ),
            gives(
                lambda: truth.waits(work_ms=1000 / truth.BATCH_FPS),
                "59 pictures a second is the share of one picture. All eight are ready together.",
                tolerance=1.0,
            ),
        ),
    ),
    Exercise(
        "02.5",
        "A grid for a crowd",
        "a dictionary with whole numbers for cells, boxes and numbers, and True or False for"
        " own_classes",
        (
            Property(
                "It has the four entries.",
                truth.not_a_design,
                ('`{"cells": …, "boxes": …, "own_classes": …, "numbers": …}`.',),
            ),
            Property(
                "At most 0.5 % of the objects of 200 crowded pictures remain without a place.",
                truth.loses_too_many,
                (
                    "Two ways help: more cells, or more boxes with classes of their own in each.",
                    "With classes per cell, a cell is lost to all kinds but one. What follows?",
                ),
            ),
            Property(
                "The numbers are those that the head puts out.",
                truth.miscounts,
                (
                    "A box has x, y, width, height and confidence.",
                    "Classes are 12 numbers: per box if each has its own, otherwise per cell.",
                ),
            ),
            Property(
                "They are at most 10 000.",
                truth.costs_too_much,
                ("Doubling the cells along a side makes four times as many cells.",),
            ),
        ),
        (
            Mistake(
                truth.is_yolo,
                "This is YOLO's grid with one set of classes per cell: two kinds of object can't"
                " share a cell, however many boxes it has.",
            ),
            Mistake(
                truth.counts_as_if(own_classes=False),
                "You count the classes once per cell, and your boxes have their own.",
            ),
            Mistake(
                truth.counts_as_if(own_classes=True),
                "You count classes for every box, and your cells have them once.",
            ),
        ),
    ),
)
