// For those who use a keyboard or a screen reader: what scrolls can be reached, and headings of
// the navigation have a level.
addEventListener("DOMContentLoaded", () => {
  for (const part of document.querySelectorAll("pre, .table-wrapper")) {
    part.tabIndex = 0;
  }
  for (const caption of document.querySelectorAll('.caption[role="heading"]')) {
    caption.ariaLevel = "2";
  }
});
