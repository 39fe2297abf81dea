/** What threads of a pool are asked to do with files, by the name of the module in worker/tasks that does it. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface FileTasks {}
export type FileTask = keyof FileTasks;
