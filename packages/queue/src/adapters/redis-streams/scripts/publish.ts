import { type Script, script } from '@ashlar/store/redis-connection';
import { aside } from './aside.ts';
import { common, makingRoom } from './common.ts';
import { places } from './places.ts';

/** Makes a group. ARGV: group. */
export const declareScript: Script = script(
  1,
  `${makingRoom}${aside}
local added = redis.call('EXISTS', stream) == 1 and fieldsOf(redis.call('XINFO', 'STREAM', stream))['entries-added']
local made = redis.pcall('XGROUP', 'CREATE', stream, ARGV[1], '$', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
if not made.err then
  -- Of a group that was deleted under this name
  putBack(ARGV[1])
  redis.call('DEL', base .. 'c:' .. ARGV[1], base .. 'sure:' .. ARGV[1], base .. 'hands:' .. ARGV[1], base .. 'busy:' .. ARGV[1])
  redis.call('DEL', base .. 'behind:' .. ARGV[1], base .. 'late:' .. ARGV[1])
  move(stream, ARGV[1], '$', added)
end
made = redis.pcall('XGROUP', 'CREATE', base .. 'r:' .. ARGV[1], ARGV[1], '0', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
return true`,
);

/**
 * Publishes. ARGV: window of ids in milliseconds, most messages, then of each message: id, content, key or '', delay,
 * milliseconds until it expires or ''. Returns nothing without a group, else of each 1, 0 when it is too many, or 2 when
 * there was one with its id.
 *
 * The ids of a window are in one hash, and those of the window before in another; so each is kept for one window at least.
 */
export const publishScript: Script = script(
  1,
  `${common}${places}
if redis.call('EXISTS', stream) == 0 then return false end
local window, now = tonumber(ARGV[1]), milliseconds()
local recent, earlier = bucketsAt(window, now)
local room = ARGV[2] - redis.call('XLEN', stream) - redis.call('ZCARD', base .. 'z')
local results = {}
for at = 3, #ARGV, 5 do
  local id = ARGV[at]
  if redis.call('HEXISTS', recent, id) == 1 or redis.call('HEXISTS', earlier, id) == 1 then
    results[#results + 1] = 2
  elseif room <= 0 then
    results[#results + 1] = 0
  else
    local fields = { ':' .. id, ARGV[at + 1] }
    if ARGV[at + 2] ~= '' then
      fields[3] = 'k'
      fields[4] = ARGV[at + 2]
    end
    if ARGV[at + 4] ~= '' then
      fields[#fields + 1] = 'x'
      fields[#fields + 1] = now + ARGV[at + 4]
    end
    if ARGV[at + 3] == '0' then
      redis.call('HSET', recent, id, redis.call('XADD', stream, '*', unpack(fields)))
    else
      redis.call('ZADD', base .. 'z', now + ARGV[at + 3], cmsgpack.pack(fields))
      redis.call('HSET', base .. 'zi', id, now + ARGV[at + 3])
      redis.call('HSET', recent, id, '')
    end
    room = room - 1
    results[#results + 1] = 1
  end
end
keepBucket(window, now)
ringAll()
return results`,
);
