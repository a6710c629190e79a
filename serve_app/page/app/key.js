/** The dialog that asks for a key. */

import { key, onKeyNeeded } from "./api.js";
import { element } from "./dom.js";

export function offerKey() {
  const dialog = element("key-dialog", HTMLDialogElement);
  const box = element("key", HTMLInputElement);
  // There is no page without a key: closing it would only ask again.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  onKeyNeeded((wrong) => {
    element("key-wrong", HTMLElement).hidden = !wrong;
    box.value = "";
    dialog.showModal();
    return new Promise((resolve) => {
      element("key-form", HTMLFormElement).onsubmit = () => {
        key.set(box.value);
        resolve();
      };
    });
  });
}
