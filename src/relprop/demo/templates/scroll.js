(() => {
  // Say of each table that is wider than the page that it scrolls.
  const note = () => {
    for (const box of document.querySelectorAll(".scroll"))
      box.classList.toggle("scrolls", box.scrollWidth > box.clientWidth + 1);
  };
  note();
  addEventListener("resize", note);
})();
