// What scrolls sideways can be reached and scrolled by the keyboard.
function focusWhatScrolls() {
  for (const box of document.querySelectorAll("pre, .table-wrapper, p, .output")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}
addEventListener("load", focusWhatScrolls);
addEventListener("resize", focusWhatScrolls);
