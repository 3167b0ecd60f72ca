// What is refused here, with a sentence for people that says what and why.
export class Refusal extends Error {
  // `stale`: what was looked at has changed meanwhile, so that looking again helps.
  constructor(sentence: string, readonly stale = false) {
    super(sentence);
    this.name = 'Refusal';
  }

  // The same with what it is about before it.
  about(what: string): Refusal {
    return new Refusal(`${what}: ${this.message}`, this.stale);
  }
}

// Runs `work`; what is refused there says what it is about.
export async function within<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof Refusal ? error.about(what) : error;
  }
}
