interface Waiting {
  userId: string;
  at: number;
}

/** The users who are looked at again later, the earliest first: a binary heap. Times are in milliseconds. */
export class Queue {
  readonly #users: Waiting[] = [];

  get length(): number {
    return this.#users.length;
  }

  /** When the first one's time comes; Infinity while nobody waits. */
  get next(): number {
    return this.#users[0]?.at ?? Infinity;
  }

  /** Has the user wait until then. */
  push(userId: string, at: number): void {
    const users = this.#users;
    let here = users.push({ userId, at }) - 1;
    while (here > 0) {
      const parent = (here - 1) >> 1;
      if (users[parent]!.at <= at) break;
      this.#swap(here, parent);
      here = parent;
    }
  }

  /** Takes out a user whose time has come. */
  due(now: number): string | undefined {
    const users = this.#users;
    if (this.next > now) return undefined;
    const first = users[0]!;
    const last = users.pop()!;
    if (users.length > 0) {
      users[0] = last;
      for (let here = 0; ; ) {
        let least = here;
        for (const child of [2 * here + 1, 2 * here + 2]) if (child < users.length && users[child]!.at < users[least]!.at) least = child;
        if (least === here) break;
        this.#swap(here, least);
        here = least;
      }
    }
    return first.userId;
  }

  #swap(a: number, b: number): void {
    [this.#users[a], this.#users[b]] = [this.#users[b]!, this.#users[a]!];
  }
}
