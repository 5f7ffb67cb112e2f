// #region program
import { MementoHash } from '@ashlar/hash-ring';

const here = new MementoHash(['shard-1', 'shard-2', 'shard-3', 'shard-4']);
here.remove('shard-2');

// the order of removals is part of the placement, so it is the state that is shared
const message = JSON.stringify(here.state());
const there = MementoHash.restore(JSON.parse(message));
console.log(there.get('user:42') === here.get('user:42')); // true
// #endregion program
