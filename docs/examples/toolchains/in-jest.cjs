async function main() {
  // #region program
  const { HashRing } = await import('@ashlar/hash-ring');
  // #endregion program
  console.log(new HashRing(['cache-1']).get('user:42')); // cache-1
}
main();
