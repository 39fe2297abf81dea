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
  ['a successor may not look whether a sync of the file had failed', { seed: 1008875109, steps: [0, 2050653259, 2057327511, 1509804897, 1261287486, 658463051, 1722554904, 301580356, 1181000446, 0] }],
  ['a thread is closed whose end the successor never found', { seed: 1074828894, steps: [0, 973241821, 1101693995, 1126735844, 1226636401, 35888564, 603895661, 1317775914, 0] }],
  ['a successor makes a thread again, and is told of an error as it closes its own file', { seed: 487126985, steps: [0, 1003296371, 671257682, 1212003043, 579683719, 132233221, 0] }],
  ['a rollout can neither be made anew nor its lease be let go of', { seed: 1222546453, steps: [0, 1525175569, 516774163, 1451219221, 789205959, 441858470, 0] }],
  ['a writer dies between its claim to a dead process\'s lease and taking it', { seed: 0, steps: [0, 1240015611, 840568808, 0, 1623918039, 912735619, 353051196, 0] }],
  ['a closed thread is resumed while the interval syncs what it has left', { seed: 371373093, steps: [0, 2118151993, 1543270066, 545083367, 265845084, 1900629080, 0] }],
  ['another sync of a file begins before the last one is known to have ended', { seed: 1603099573, steps: [0, 1340650859, 817503177, 11463001, 369210585, 360458310, 2027553718, 1193881596, 0] }],
  ['a thread fails while a successor takes its file over', { seed: 756502361, steps: [0, 597306581, 2045249366, 1712535989, 1376740047, 209015816, 969622867, 91997726] }],
  ['the file of a closed thread is closed in the sync that was asked for while its last one ended', { seed: 1398884986, steps: [0, 1758922491, 749077902, 182177529, 318700202, 1744365007, 951443877, 1235096289, 752164692, 403404092, 0] }],
  ['a file is closed in the sync that began as its thread was let go of', { seed: 0, steps: [0, 1470586691, 450168196, 1531710526, 2124767043, 1735423497, 659697801, 78462907] }],
  ['a thread that a successor makes again fails before its host is answered', { seed: 1031278277, steps: [0, 641123913, 498712106, 754539930, 620895753, 426832776, 0] }],
];
