/** What was edited, kept in this browser under the job's id. */

/** @import { Draft } from "../types.js" */

const NAME = "rayscribe";
const STORE = "drafts";

/** @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest<T>} work
 * @returns {Promise<T>}
 */
async function inStore(mode, work) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const request = work(database.transaction(STORE, mode).objectStore(STORE));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  } finally {
    database.close();
  }
}

/** @param {string} id @returns {Promise<Draft | undefined>} */
export const loadDraft = (id) => inStore("readonly", (store) => store.get(id));

/** @param {string} id @param {Draft} draft */
export const saveDraft = (id, draft) => inStore("readwrite", (store) => store.put(draft, id));

/** @param {string} id */
export const deleteDraft = (id) => inStore("readwrite", (store) => store.delete(id));
