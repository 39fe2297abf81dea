import { writeFileSync } from 'node:fs';

const DROP_CACHES = '/proc/sys/vm/drop_caches';

/**
 * Gives back every clean page of the page cache, of the whole machine: what is written next gets those, not pages that nobody has touched
 * yet. Where free memory is given back to a host of virtual machines, such a page takes ten times as long, and which of the contenders
 * gets them is chance. proc_sys_vm(5): "1" frees the page cache. @throws where that is not Linux, or not allowed
 */
export function dropPageCache(): void {
  writeFileSync(DROP_CACHES, '1');
}
