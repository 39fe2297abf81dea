/** What the contract has and this version does not. What is built may not stand here; a type stands for its members. */
export const NOT_BUILT_YET: readonly { readonly reason: string; readonly names: readonly string[] }[] = [
  {
    reason: 'Producers in other JavaScript threads.',
    names: ['Sidecar.createProducerPort', 'attachProducer', 'ProducerPort', 'Producer'],
  },
];
