/** Of the package. Threads that share memory have the same: where words lie is no contract. */
export const VERSION = '0.1.0';
