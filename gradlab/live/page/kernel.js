// The events that leave this view, and which of them are still unanswered. Takes nothing from other files.
//
// Every event has an id, and the kernel answers it with a `state` message that names the id.

const PATIENCE = 3000; // ms that the kernel may take to answer

class Kernel {
  // waits: called with the number of unanswered events when it changes; silent: called when patience is over.
  constructor(model, waits, silent) {
    Object.assign(this, { model, waits, silent });
    this.view = Math.random().toString(36).slice(2, 8); // two views of one panel must not take each other's answers
    this.events = 0;
    this.waiting = new Map(); // id of an event -> { kind, field, timer }
    this.asked = new Map(); // field -> id of the last event that set it
  }

  send(kind, extra = {}) {
    const id = `${this.view}-${++this.events}`;
    this.waiting.set(id, { timer: setTimeout(this.silent, PATIENCE), kind, field: extra.field });
    this.waits(this.waiting.size);
    if (extra.field) this.asked.set(extra.field, id);
    try {
      Promise.resolve(this.model.send({ kind, id, ...extra })).catch(() => {});
    } catch { /* a closed connection; the timer will say so */ }
  }

  // The event that an answer belongs to, if it was sent from this view, else null.
  answered(id) {
    const event = this.waiting.get(id);
    if (!event) return null;
    clearTimeout(event.timer);
    this.waiting.delete(id);
    this.waits(this.waiting.size);
    return event;
  }

  // Whether a field's value in the answer `id` is old, because the hand has set a newer one since.
  outdated(field, id) {
    if (this.asked.has(field) && this.asked.get(field) !== id) return true;
    this.asked.delete(field);
    return false;
  }

  close() {
    for (const { timer } of this.waiting.values()) clearTimeout(timer);
  }
}
