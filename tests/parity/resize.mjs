// node resize.mjs MODULE CASES PICTURES ANSWERS: pictures stretched by the page's module.
//
// CASES is JSON, [[width, height, side], ..]; PICTURES their RGBA, one after the other; ANSWERS gets
// the RGBA of side x side of each.
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [module, cases, pictures, answers] = process.argv.slice(2);
const { resize } = await import(pathToFileURL(resolve(module)).href);
const pixels = readFileSync(pictures);
let at = 0;
const all = JSON.parse(readFileSync(cases, "utf8")).map(([width, height, side]) => {
  const picture = new Uint8ClampedArray(pixels.subarray(at, at + 4 * width * height));
  at += picture.length;
  return resize(picture, width, height, side);
});
writeFileSync(answers, Buffer.concat(all.map(({ buffer }) => Buffer.from(buffer))));
