/** A number from 0 up to, not including, `below`. */
export type Chance = (below: number) => number;
