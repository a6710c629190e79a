/** Where the page begins: which view is shown follows from the address behind the `#`. */

import { askJson } from "./api.js";
import { element } from "./dom.js";
import { prepareHome, showHome, showLimits } from "./home/home.js";
import { PLACE } from "./job/direct.js";
import { hideJob, showDirect, showJob } from "./job/job.js";
import { offerKey } from "./key.js";
import { offerTheme } from "./theme.js";

function route() {
  const job = /^#\/jobs\/([\w-]+)$/.exec(location.hash)?.[1];
  element("trouble", HTMLElement).hidden = true;
  const direct = location.hash === PLACE;
  element("home", HTMLElement).hidden = direct || job !== undefined;
  hideJob();
  if (direct) void showDirect();
  else if (job === undefined) showHome();
  else void showJob(job);
  document.title = "Rayscribe";
  scrollTo(0, 0);
}

async function nameModel() {
  const { data } = await askJson("v1/models");
  element("model", HTMLElement).textContent = data[0]?.id ?? "";
}

offerTheme();
offerKey();
prepareHome();
window.addEventListener("hashchange", route);
route();
void nameModel().then(showLimits, () => {
  const box = element("trouble", HTMLElement);
  box.textContent = "The service cannot be reached. Check that it runs, then load this page again.";
  box.hidden = false;
});
