(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const viewer = document.getElementById("viewer"), tip = document.getElementById("tip");
  const one = id => document.getElementById(id);
  const side = data.side, half = (data.ramp.length - 1) / 2;

  // The name of a picture is "digit", "map NAME", or "FILL ORDER".
  const split = name => [name.slice(0, name.indexOf(" ")), name.slice(name.indexOf(" ") + 1)];

  const colours = (digit, name, limit) => {
    const map = digit.maps[name];
    if (map) {
      const share = map.limit / limit / data.steps;
      return map.relevance.map(r => data.ramp[Math.round(half + half * Math.max(-1, Math.min(1, r * share)))]);
    }
    const greys = digit.pixels.slice(), [fill, order] = split(name);
    for (const place of digit.removed[order] || []) greys[place] = data.greys[fill];
    return greys.map(grey => [grey, grey, grey]);
  };

  const draw = (digit, name, limit) => {
    const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
    canvas.width = canvas.height = side;
    const image = context.createImageData(side, side);
    colours(digit, name, limit).forEach((colour, i) => image.data.set([...colour, 255], 4 * i));
    context.putImageData(image, 0, 0);
    return canvas.toDataURL();
  };

  const nameOf = (kind, rule, fill) => ({
    digit: "digit", map: `map ${rule}`, most: `${fill} ${rule}`, least: `${fill} least ${rule}`,
    brightest: `${fill} brightest`, ink: `${fill} random ink`,
  })[kind];

  const signed = value => (value < 0 ? "\u2212" : value > 0 ? "+" : "") + Number(Math.abs(value).toPrecision(2));
  const shown = { digit: 0 };

  const update = () => {
    const digit = data.digits[shown.digit], rule = one("rule").value, fill = one("fill").value;
    const limits = data.rules.map(name => digit.maps[`map ${name}`].limit);
    const limit = one("same").checked ? Math.max(...limits) : digit.maps[`map ${rule}`].limit;
    for (const figure of viewer.querySelectorAll(":scope > .pictures figure")) {
      const box = figure.querySelector(".picture"), img = figure.querySelector("img");
      const name = nameOf(box.dataset.kind, rule, fill), words = digit.words[name];
      box.dataset.digit = shown.digit;
      box.dataset.name = name;
      img.src = draw(digit, name, limit);
      img.alt = words.alt;
      figure.className = words.wrong ? "wrong" : "";
      const caption = figure.querySelector("figcaption span");
      caption.replaceChildren(words.caption[0], document.createElement("br"), words.caption[1]);
      const path = figure.querySelector("path");
      if (path) path.setAttribute("d", digit.outline);
    }
    one("low").textContent = signed(-limit);
    one("high").textContent = signed(limit);
    for (const button of viewer.querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(Number(button.dataset.choose) === shown.digit));
    for (const row of document.querySelectorAll("tr[data-rule]"))
      row.classList.toggle("chosen", row.dataset.rule === rule);
  };

  // What is under the pointer: the pixel, its relevance or its fate.
  const describe = (digit, name, place) => {
    const where = `row ${Math.floor(place / side) + 1}, column ${place % side + 1}`;
    const grey = (digit.pixels[place] / 255).toFixed(2), map = digit.maps[name];
    if (map) return `${where}: relevance ${signed(map.relevance[place] * map.limit / data.steps)}, grey ${grey}`;
    const removed = digit.removed[split(name)[1]];
    const rank = removed ? removed.indexOf(place) : -1;
    return `${where}: grey ${grey}` + (rank < 0 ? "" : `, removed as number ${rank + 1}`);
  };

  const point = event => {
    const box = event.target.closest && event.target.closest(".picture");
    tip.hidden = !box;
    if (!box) return;
    const { left, top, width, height } = box.getBoundingClientRect();
    const cell = (at, start, size) => Math.max(0, Math.min(side - 1, Math.floor((at - start) / size * side)));
    const place = cell(event.clientY, top, height) * side + cell(event.clientX, left, width);
    tip.textContent = describe(data.digits[box.dataset.digit], box.dataset.name, place);
    tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = Math.min(event.clientY + 16, innerHeight - tip.offsetHeight - 8) + "px";
  };

  if (!data.digits.length) return;
  for (const controls of viewer.querySelectorAll(".controls, .scale label")) controls.hidden = false;
  for (const button of viewer.querySelectorAll("button")) {
    button.addEventListener("click", () => { shown.digit = Number(button.dataset.choose); update(); });
  }
  for (const id of ["rule", "fill", "same"]) one(id).addEventListener("change", update);
  for (const kind of ["pointermove", "pointerdown"]) document.addEventListener(kind, point);
  addEventListener("scroll", () => { tip.hidden = true; });
  update();
})();
