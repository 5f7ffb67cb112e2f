// #region program
import { nginxHash, redisSlot } from '@ashlar/hash-ring/compat';

// upstream cache { hash $request_uri consistent; server 10.0.0.1:80 weight=2; server 10.0.0.2:80; }
const servers = nginxHash([{ id: '10.0.0.1:80', weight: 2 }, { id: '10.0.0.2:80' }]);
console.log(servers.get('/products/42')); // 10.0.0.1:80

console.log(redisSlot('{user:42}:cart') === redisSlot('{user:42}:orders')); // true
// #endregion program
