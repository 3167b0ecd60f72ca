// What this browser keeps: its key, whose holder it is, the pin and the newest trust policy, when each device was admitted as far
// as it was seen. IndexedDB, because that alone can hold a key whose private half no script can read.

const DATABASE = 'countersign', STORE = 'kept';

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('this browser keeps nothing: is it in a private window?'));
    request.onblocked = () => reject(new Error('another tab holds what this browser keeps: close it'));
  });
}

async function within<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode, { durability: 'strict' });
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = () => reject(transaction.error ?? new Error('this browser could not keep it'));
      transaction.onabort = () => reject(transaction.error ?? new Error('this browser could not keep it'));
    });
  } finally {
    database.close();
  }
}

export interface Shelf {
  get<T>(name: string): Promise<T | undefined>;
  put(name: string, value: unknown): Promise<void>;
  drop(name: string): Promise<void>;
}

const inBrowser: Shelf = {
  get: <T>(name: string) => within('readonly', (store) => store.get(name) as IDBRequest<T | undefined>),
  put: async (name, value) => { await within('readwrite', (store) => store.put(value, name)); },
  drop: async (name) => { await within('readwrite', (store) => store.delete(name) as IDBRequest<undefined>); },
};

// For where there is no IndexedDB (tests): as long as the page.
function inMemory(): Shelf {
  const kept = new Map<string, unknown>();
  return {
    get: async <T>(name: string) => kept.get(name) as T | undefined,
    put: async (name, value) => { kept.set(name, value); },
    drop: async (name) => { kept.delete(name); },
  };
}

export const shelf: Shelf = typeof indexedDB === 'undefined' ? inMemory() : inBrowser;
