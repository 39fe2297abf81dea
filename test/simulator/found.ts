/** Schedules that found something once, by what went wrong. They are run always. */
import type { Schedule } from './history.js';

export const FOUND: [string, Schedule][] = [
  ['a resumed rollout of a dead process is synced, and its name is not', { seed: 779807028, steps: [0, 1214624585, 1310322908, 814869063, 552613571] }],
  ['a write and the cut behind it are refused', { seed: 1405800163, steps: [0, 712102702, 1187674610, 0, 497689398, 0] }],
  ['a lease cannot be removed, and the close is asked for again', { seed: 322100204, steps: [0, 1778359688, 1419421694, 641824277, 1622732745, 0] }],
  ['two writers die while they make the first lease', { seed: 0, steps: [0, 224842614, 780194990, 1353494754, 0] }],
  ['a thread fails as its writer dies, which cannot say so any more', { seed: 1799929343, steps: [0, 1858916582, 225896641, 695447642, 1133486484, 1779899960, 242438491, 0] }],
  ['the file that leases are links to could be neither written nor removed', { seed: 1919350762, steps: [0, 612788326, 1304784982, 1733828168, 552085235, 1799009385, 1790630948, 0] }],
  ['a rollout is made anew for a closed thread, and a look at it is refused', { seed: 1824308494, steps: [0, 1818849313, 1629413571, 1259664519, 1723452910, 248540708, 0] }],
  ['a file is to be synced whose end the successor could not look for yet', { seed: 673058206, steps: [0, 1496316932, 1104978517, 1783406922, 276696482] }],
];
