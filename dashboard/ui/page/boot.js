// Loads the page. The module's address is named: the binding generator omits its default.
import init, { run } from "./picket_dashboard_ui.js";

try {
  await init({ module_or_path: new URL("picket_dashboard_ui_bg.wasm", import.meta.url) });
  run();
} catch (error) {
  const note = document.createElement("p");
  note.textContent = `The page could not start: ${error}. Reload; if it stays so, build it again with cargo xtask dashboard.`;
  document.body.append(note);
}
