// Where one draws: strokes that can be taken back, over white paper or a picture.

const STEP = 6;  // pixels that an arrow key moves the pen

class Pad {
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.onChange = onChange;
    this.pen = canvas.width / 13;  // MNIST's pens are a twelfth of a digit
    this.strokes = [];
    this.picture = null;
    this.cursor = null;
    this.current = null;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"])
      canvas.addEventListener(name, () => { this.current = null; });
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => { this.cursor = this.current = null; this.draw(); });
    this.draw();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * this.canvas.width) / box.width,
      ((event.clientY - box.top) * this.canvas.height) / box.height];
  }

  begin(point) {
    this.current = [point];
    this.strokes.push(this.current);
    this.changed();
  }

  down(event) {
    if (event.button > 0) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.cursor = null;
    this.begin(this.place(event));
  }

  move(event) {
    if (!this.current || this.cursor) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) this.current.push(this.place(one));
    this.changed();
  }

  key(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
    else if (event.key === "Delete" || event.key === "Backspace") this.erase();
    else if (event.key === " " || way) {
      const side = this.canvas.width;
      this.cursor ??= [side / 2, side / 4];
      if (way) this.cursor = this.cursor.map((x, axis) => clipped(x + STEP * way[axis], 0, side));
      else if (this.current) this.current = null;
      else this.begin(this.cursor);
      if (way && this.current) this.current.push(this.cursor);
      this.changed();
    } else return;
    event.preventDefault();
  }

  undo() {
    if (this.strokes.length) this.strokes.pop();
    else this.picture = null;
    this.current = null;
    this.changed();
  }

  erase() {
    this.strokes = [];
    this.picture = this.current = null;
    this.changed();
  }

  show(picture) {  // anything that a canvas can draw, fitted into this one
    this.erase();
    this.picture = picture;
    this.changed();
  }

  changed() {
    this.draw();
    this.onChange();
  }

  get isBlank() {
    return !this.strokes.length && !this.picture;
  }

  draw(cursor = this.cursor) {
    const { context, canvas: { width, height } } = this;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
    if (this.picture) {
      const scale = Math.min(width / this.picture.width, height / this.picture.height);
      const size = [this.picture.width * scale, this.picture.height * scale];
      context.drawImage(this.picture, (width - size[0]) / 2, (height - size[1]) / 2, ...size);
    }
    Object.assign(context, { lineWidth: this.pen, lineCap: "round", lineJoin: "round", strokeStyle: "#000" });
    for (const stroke of this.strokes) {
      context.beginPath();
      context.moveTo(...stroke[0]);
      for (const point of stroke.length > 1 ? stroke.slice(1) : stroke) context.lineTo(...point);
      context.stroke();
    }
    if (!cursor) return;
    context.beginPath();
    context.arc(...cursor, this.pen / 2 + 3, 0, 2 * Math.PI);
    Object.assign(context, { lineWidth: 2, strokeStyle: this.current ? "#c00" : "#06c" });
    context.stroke();
  }

  get grey() {  // levels of the drawing without the cursor, row by row
    if (this.cursor) this.draw(null);
    const { data } = this.context.getImageData(0, 0, this.canvas.width, this.canvas.height);
    if (this.cursor) this.draw();
    const grey = new Uint8Array(data.length / 4);
    for (let at = 0; at < grey.length; at++)  // brightness as Pillow has it
      grey[at] = (19595 * data[4 * at] + 38470 * data[4 * at + 1] + 7471 * data[4 * at + 2] + 32768) >> 16;
    return grey;
  }
}
