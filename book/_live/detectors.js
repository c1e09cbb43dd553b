// Whose detector looks: the book's, or an ONNX file of the reader's. No file leaves the page.

import { describe, verify } from "./own.js";

const MOST_MB = 1000; // of a detector: the runtime's memory has 4 GB

/** The choice, as inputs.js asks for it. `eyes` is the thread that runs detectors; `presets` are known. */
export const chooseDetector = (eyes, presets) => (frame, { detector, chooser }) => {
  let [own, count] = [null, 0];
  const options = [
    ["scenes", "of scenes"],
    ["own", "your own"],
  ];
  const choice = frame.choice({ label: "Detector", name: "detector", options });
  const ownButton = choice.querySelector('input[value="own"]');
  choice.append(chooser("Choose an ONNX file …", ".onnx", "your detector"));

  return {
    async open(file) {
      if (file.size > MOST_MB * 1e6) throw new Error(`${file.name} has more than ${MOST_MB} MB.`);
      const bytes = new Uint8Array(await file.arrayBuffer());
      const described = describe(bytes, file.name, presets);
      const slot = `own ${(count += 1)}`;
      const answer = await eyes.open(bytes, described.side, slot).catch((error) => {
        throw new Error(`${file.name} cannot be run here: ${error.message.split("\n")[0]}`);
      });
      try {
        verify(answer, described, file.name);
      } catch (error) {
        await eyes.close(slot);
        throw error;
      }
      return () => {
        if (own) eyes.close(own.slot);
        own = { ...described, file: file.name, slot, priors: answer.priors };
        frame.set({ detector: "own", file: count, look: null });
      };
    },
    now: () => (frame.get("detector") === "own" && own ? own : detector),
    follow: () => (ownButton.disabled = !own),
  };
};
