/** Every entry of a sidecar that takes an id, with this one; `stored` is a thread that there is. */
export function asksOf(sidecar, stored, id) {
  const read = async (view, reverse) => { for await (const record of sidecar.readThread(id, { view, reverse })) void record; };
  return {
    create: () => sidecar.createThread({ id }),
    parent: () => sidecar.createThread({ parentId: id }),
    resume: () => sidecar.resumeThread(id),
    resumeOrCreate: () => sidecar.resumeThread(id, { ifMissing: 'create' }),
    createInstead: () => sidecar.resumeThread('01936c1e-7b2a-7000-8000-000000000001', { ifMissing: 'create', create: { id } }),
    createInsteadBelow: () => sidecar.resumeThread('01936c1e-7b2a-7000-8000-000000000001', { ifMissing: 'create', create: { parentId: id } }),
    fork: () => sidecar.forkThread(id),
    forkAs: () => sidecar.forkThread(stored, { id }),
    forkBelow: () => sidecar.forkThread(stored, { parentId: id }),
    get: () => sidecar.getThread(id),
    read: () => read('effective', false),
    readRaw: () => read('raw', true),
    setMeta: () => sidecar.setThreadMeta(id, { title: 'x' }),
    archive: () => sidecar.archiveThread(id),
    unarchive: () => sidecar.unarchiveThread(id),
    delete: () => sidecar.deleteThread(id),
    listBelow: () => sidecar.listThreads({ parentId: id }),
    listFrom: () => sidecar.listThreads({ cursor: id }),
  };
}
