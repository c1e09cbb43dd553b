// Exercises that are answered by numbers or by a choice are checked on the page, with the hints of
// `ssd_book.checks`. `exercise_answers.py` writes the forms, each with its check as a table: for a
// choice, what Python found out about each one; for numbers, the properties and mistakes that Python
// tries, in the same order. What a reader typed is remembered where the browser allows it.
(() => {
  // --- what a reader types ----------------------------------------------------------------------------

  class Unreadable extends Error {}

  const WORDS = { pi: Math.PI, sqrt: Math.sqrt, ln: Math.log };
  const PLAIN = [
    [/[！-～]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0)], // full-width digits
    [/[−–—]/g, "-"],
    [/[×·∙⋅]/g, "*"],
    [/[÷∕⁄]/g, "/"],
    [/’/g, "'"],
    [/\*\*/g, "^"],
    [/²/g, "^2"],
    [/√/g, " sqrt "],
    [/π/g, " pi "],
    [/^\s*[=≈]/, ""],
  ];
  // Thousands may be set apart by commas, spaces or apostrophes. Any other comma is a decimal one.
  const THOUSANDS = String.raw`[1-9]\d{0,2}(?:(?<gap>[,\s'_])\d{3})(?:\k<gap>\d{3})*(?!\d)(?:\.\d+)?`;
  const NUMBER = String.raw`${THOUSANDS}|(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[+-]?\d+)?`;
  const PART = new RegExp(String.raw`(?<number>${NUMBER})|(?<word>[a-z]+)|[-+*/^()%]`, "iy");

  /** Return the numbers, words and signs of an expression. */
  function parts(typed) {
    const text = PLAIN.reduce((text, [sign, plain]) => text.replace(sign, plain), typed);
    const found = [];
    for (let at = 0; (at += text.slice(at).search(/\S|$/)) < text.length; at = PART.lastIndex) {
      PART.lastIndex = at;
      const { number, gap, word } = PART.exec(text)?.groups ?? { word: text.slice(at).trim() };
      if (number) found.push(Number(gap ? number.replaceAll(gap, "") : number.replace(",", ".")));
      else if (!word) found.push(text[at]);
      else if (Object.hasOwn(WORDS, word.toLowerCase())) found.push(word.toLowerCase());
      else throw new Unreadable(`“${word}” can't be read as a number.`);
    }
    return found;
  }

  /** Return the value of a number or an expression: 0.5, 0,5, 1/2, 50 %, 24 564, 4 * ln(21). */
  function read(typed) {
    const rest = parts(typed);
    const next = (...signs) => (signs.includes(rest[0]) ? rest.shift() : null);

    function atom() {
      const part = rest.shift();
      if (typeof part === "number") return part;
      if (part === "pi") return WORDS.pi;
      if (part === "sqrt" || part === "ln") return WORDS[part](atom());
      if (part !== "(") throw new Unreadable(`A number is missing ${part ? `before “${part}”` : "at the end"}.`);
      const value = sum();
      if (!next(")")) throw new Unreadable("A bracket is not closed.");
      return value;
    }
    function power() {
      let value = atom();
      while (next("%")) value /= 100;
      return next("^") ? value ** signed() : value;
    }
    const signed = () => (next("-") ? -signed() : next("+") ? signed() : power());
    function product() {
      let value = signed();
      for (;;) {
        if (next("*") || ["(", "pi", "sqrt", "ln"].includes(rest[0])) value *= signed();
        else if (next("/")) value /= signed();
        else return value;
      }
    }
    function sum() {
      let value = product();
      for (let sign; (sign = next("+", "-")); ) value += sign === "+" ? product() : -product();
      return value;
    }

    if (!rest.length) throw new Unreadable("A number is missing.");
    const value = sum();
    if (rest.length) throw new Unreadable(`One number is expected, and “${rest[0]}” follows it.`);
    if (!Number.isFinite(value)) throw new Unreadable("This has no finite value.");
    return value;
  }

  // --- the check, as `diagnose` in ssd_book/checks/engine.py makes it ---------------------------------

  const holds = ({ names, low, high, near, within }, given) =>
    given.length === (names ?? near ?? [0]).length &&
    (low ?? -Infinity) <= given[0] &&
    given[0] <= (high ?? Infinity) &&
    (near ?? []).every((value, at) => Math.abs(given[at] - value) <= within);

  /** Return what is found out about an answer: the label of a choice, or a list of numbers. */
  function judge({ choices, properties, mistakes }, answer) {
    if (choices) return choices[answer];
    const failed = properties.find((property) => !holds(property, answer));
    if (!failed) return { status: "passed", says: properties.at(-1).says, hints: [], cause: "" };
    const { says, hints } = failed;
    const own = mistakes.find((mistake) => holds(mistake, answer))?.hint;
    return { status: "failed", says, hints: own ? [own, ...hints] : hints, cause: own ?? says };
  }

  globalThis.exerciseAnswers = { read, judge }; // for the tests
  if (typeof document === "undefined") return;

  // --- a form -----------------------------------------------------------------------------------------

  const SUCH_AS = "Write a number such as 3, 0.25 or 1/4; sqrt, ln and pi work, too.";

  function remembered(name) {
    try {
      return JSON.parse(localStorage.getItem(name)) ?? [];
    } catch {
      return []; // there is no storage, or its content is not ours
    }
  }

  function remember(name, typed) {
    try {
      localStorage.setItem(name, JSON.stringify(typed));
    } catch {} // the page works without
  }

  /** Return a paragraph with a bold beginning. What is between backticks is code. */
  function paragraph(label, text) {
    const made = document.createElement("p");
    const strong = document.createElement("strong");
    strong.textContent = label;
    made.append(strong, " ");
    for (const [at, piece] of text.split("`").entries()) {
      const code = document.createElement("code");
      code.textContent = piece;
      made.append(at % 2 ? code : piece);
    }
    return made;
  }

  function start(form) {
    const bytes = Uint8Array.from(atob(form.dataset.check), (letter) => letter.charCodeAt(0));
    const table = JSON.parse(new TextDecoder().decode(bytes));
    const name = `ssd-exercise-${form.dataset.exercise}`;
    const fields = [...form.querySelectorAll("input")];
    const said = form.querySelector(".said");
    const tries = new Map(); // how often each cause was reported, which picks the next hint

    const typed = () => fields.filter((field) => !table.choices || field.checked).map((field) => field.value);

    /** Return the answer; throw `Unreadable`, with the field that it is about. */
    function answer() {
      if (table.choices) {
        if (typed().length) return typed()[0];
        throw Object.assign(new Unreadable("Choose one first."), { field: fields[0] });
      }
      return fields.map((field) => {
        try {
          return read(field.value);
        } catch (error) {
          throw Object.assign(error, { field });
        }
      });
    }

    function show(state, ...lines) {
      form.dataset.state = state;
      said.replaceChildren(...lines);
    }

    function check() {
      for (const field of fields) field.removeAttribute("aria-invalid");
      const given = answer();
      const { status, says, evidence, hints, cause } = judge(table, given);
      if (status === "passed") {
        tries.clear();
        return show("right", paragraph("Right.", says));
      }
      const told = Math.min(tries.get(cause) ?? 0, hints.length - 1);
      tries.set(cause, told + 1);
      const more = told + 1 < hints.length ? " Check again for the next hint." : "";
      const yours = evidence ?? given.map((value) => Number(value.toPrecision(6))).join(", ");
      show(
        "wrong",
        paragraph("Not yet. Must hold:", says),
        paragraph("Yours:", yours),
        paragraph(`Hint ${told + 1} of ${hints.length}:`, hints[told] + more),
      );
    }

    function submit(event) {
      event.preventDefault();
      remember(name, typed());
      try {
        check();
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        show("unread", paragraph(error.message, table.choices ? "" : SUCH_AS));
        error.field.setAttribute("aria-invalid", "true");
        error.field.focus();
      }
    }

    const before = remembered(name);
    for (const [at, field] of fields.entries())
      if (table.choices) field.checked = field.value === before[0];
      else field.value = before[at] ?? "";
    try {
      if (judge(table, answer()).status === "passed") check();
    } catch {} // nothing was answered yet
    said.setAttribute("role", "status"); // from now on it speaks
    form.addEventListener("submit", submit);
    form.hidden = false;
  }

  document.querySelectorAll("form.exercise-answer").forEach(start); // the script is deferred
})();
