// The form of a supplier: a preset fills it, and the button that tests it stands where the connection is described.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const field = (name) => document.getElementById(`id_${name}`);
  const trial = document.getElementById("trial");
  if (trial) field("new_credentials")?.closest("fieldset").append(trial);

  const chooser = document.getElementById("preset");
  if (!chooser) return;
  const presets = JSON.parse(document.getElementById("preset-data").textContent);
  chooser.addEventListener("change", () => {
    const preset = presets[chooser.value];
    if (!preset) return;
    field("config").value = preset.config;
    field("adapter").value = preset.adapter;
    field("new_credentials").value = preset.credentials;
    document.getElementById("preset-notes").textContent = preset.notes;
  });
});
