import { type Script, script } from '@ashlar/store/redis-connection';
import { common } from './common.ts';
import { places } from './places.ts';

/** A page of dead letters. ARGV: group, limit, and the id after which it begins if any. Returns the packed letters. */
export const inspectScript: Script = script(
  1,
  `${common}
redis.call('XPENDING', stream, ARGV[1]) -- fails without the group
local dead, died, from = base .. 'dead:' .. ARGV[1], base .. 'died:' .. ARGV[1], 0
if ARGV[3] then
  local rank = redis.call('ZRANK', died, ARGV[3])
  if rank then from = rank + 1 end
end
local letters, limit = {}, tonumber(ARGV[2])
repeat
  local ids = redis.call('ZRANGE', died, from, from + limit - #letters - 1)
  for _, id in ipairs(ids) do
    local packed = redis.call('HGET', dead, id)
    if packed then letters[#letters + 1] = cmsgpack.unpack(packed) end
  end
  from = from + #ids
until #ids == 0 or #letters == limit
return letters`,
);

/** What one script sends again at most, and one letter more, in bytes: the server does nothing else meanwhile. */
const againBytes = 2 ** 23;

/**
 * Takes dead letters away. ARGV: group, 1 to send them again, the most, and either the latest death that counts, or '' and
 * the ids. It ends early when those that it sends again have many bytes. Returns how many it took, how many it looked at, and how
 * many there were to look at.
 */
export const takeDeadScript: Script = script(
  1,
  `${common}${places}
local group = ARGV[1]
redis.call('XPENDING', stream, group) -- fails without the group
local dead, died, retries = base .. 'dead:' .. group, base .. 'died:' .. group, base .. 'r:' .. group
local ids = {}
for at = 5, #ARGV do ids[#ids + 1] = ARGV[at] end
if ARGV[4] ~= '' then ids = redis.call('ZRANGEBYSCORE', died, '-inf', ARGV[4], 'LIMIT', 0, ARGV[3]) end
local taken, seen, bytes = 0, 0, 0
for _, id in ipairs(ids) do
  if bytes > ${againBytes} then break end
  seen = seen + 1
  local packed = taken < tonumber(ARGV[3]) and redis.call('HGET', dead, id)
  if packed then
    redis.call('HDEL', dead, id)
    if ARGV[2] == '1' then
      local fields, letter = {}, cmsgpack.unpack(packed)
      bytes = bytes + #packed
      for at = 1, #letter, 2 do
        local name = letter[at]
        if at == 1 or name == 'k' then
          fields[#fields + 1] = name
          fields[#fields + 1] = letter[at + 1]
        end
      end
      put(group, id, 'r', redis.call('XADD', retries, '*', unpack(fields)))
    end
    taken = taken + 1
  end
  if packed ~= false or ARGV[4] ~= '' then redis.call('ZREM', died, id) end
end
if ARGV[2] == '1' then ring(group) end
return { taken, seen, #ids }`,
);

/** The latest death. ARGV: group. Returns nothing when there is none. */
export const latestDeathScript: Script = script(
  1,
  `${common}
redis.call('XPENDING', stream, ARGV[1]) -- fails without the group
return redis.call('ZRANGE', base .. 'died:' .. ARGV[1], -1, -1, 'WITHSCORES')[2] or false`,
);
