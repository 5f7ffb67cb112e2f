import { type Script, script } from '@ashlar/store/redis-connection';
import { common, possession } from './common.ts';
import { places } from './places.ts';

/**
 * Whether a delivery is still in the hands that settle it: of that consumer, and delivered no more often. Of many deliveries,
 * one look at all that the consumer holds is cheaper than one for each. The first `ofStream` of them are not from the retries.
 */
const holding = `
local function held(from, group, consumer, entry, count)
  local found = redis.call('XPENDING', from, group, entry, entry, 1, consumer)[1]
  return found and found[4] == tonumber(count)
end
local function sorted(group, consumer, ids, ofStream, counts)
  local retries = base .. 'r:' .. group
  local holds = {}
  if #ids > 4 then
    for _, from in ipairs({ stream, retries }) do
      local mine = {}
      eachHeld(from, group, consumer, function(entry, deliveries) mine[entry] = deliveries end)
      holds[from] = mine
    end
  end
  local results, entries, nextCount = {}, { [stream] = {}, [retries] = {} }, string.gmatch(counts, '%d+')
  for at, entry in ipairs(ids) do
    local from, count = at > ofStream and retries or stream, nextCount()
    local is
    if holds[from] then is = holds[from][entry] == tonumber(count) else is = held(from, group, consumer, entry, count) end
    if is then table.insert(entries[from], entry) end
    results[#results + 1] = is and 1 or 0
  end
  return results, entries
end
`;

/** One argument for all entries: each by itself costs who sends it, and to find them in a text costs twice what decoding does. */
const entriesOf = `
local ids = cjson.decode(ARGV[6])
`;

/** Most have nothing to be looked after: before all else, as each function that is defined costs a tenth of a message. */
const plainAck = `
if ARGV[3] ~= '1' and #ids == tonumber(ARGV[5]) then
  local base, group = string.sub(KEYS[1], 1, -2), ARGV[1]
  local isSure = redis.call('SISMEMBER', base .. 'sure:' .. group, ARGV[2]) == 1
  if isSure and redis.call('EXISTS', base .. 'g:' .. group, base .. 'hands:' .. group) == 0 then
    redis.call('XACK', KEYS[1], group, unpack(ids))
    return 1
  end
end
`;

/**
 * Acknowledges at most 1 000 deliveries. ARGV: group, consumer, 1 to look at each, their counts with commas, how many are not from the retries,
 * the entries of those and then of the others as JSON. Returns 1 when all were in these hands, else of each 1, or 0 when
 * it is in others.
 */
export const ackScript: Script = script(
  1,
  `${entriesOf}${plainAck}${common}${possession}${places}${holding}
local group, consumer, retries = ARGV[1], ARGV[2], base .. 'r:' .. ARGV[1]
local function ack(from, entries)
  if #entries == 0 then return end
  settled(from, group, entries)
  redis.call('XACK', from, group, unpack(entries))
  if from == retries then redis.call('XDEL', from, unpack(entries)) end
end
local ofStream = tonumber(ARGV[5])
if ARGV[3] ~= '1' and redis.call('SISMEMBER', base .. 'sure:' .. group, consumer) == 1 then
  ack(stream, { unpack(ids, 1, ofStream) })
  ack(retries, { unpack(ids, ofStream + 1) })
  return 1
end
local results, entries = sorted(group, consumer, ids, ofStream, ARGV[4])
ack(stream, entries[stream])
ack(retries, entries[retries])
return results`,
);

/**
 * Extends. ARGV: group, consumer, the milliseconds of which the lease is over already, then as for acknowledging. Returns
 * of each 1, or 0 when it is in other hands.
 */
export const extendScript: Script = script(
  1,
  `${entriesOf}${common}${possession}${holding}
local results, entries = sorted(ARGV[1], ARGV[2], ids, tonumber(ARGV[5]), ARGV[4])
for from, ids in pairs(entries) do
  for _, entry in ipairs(ids) do
    redis.call('XCLAIM', from, ARGV[1], ARGV[2], 0, entry, 'IDLE', ARGV[3], 'JUSTID')
  end
end
return results`,
);

/**
 * Fails or gives back one delivery. ARGV: group, consumer, 1 when it is from the retries, entry, count, deliveries and
 * failures from now on, pause in milliseconds, 1 when its key waits for it, and the reason if it is dead, with the most dead letters. Returns 0 when it
 * is in other hands.
 */
export const nackScript: Script = script(
  1,
  `${common}${possession}${places}${holding}
local group, consumer, retries = ARGV[1], ARGV[2], base .. 'r:' .. ARGV[1]
local from, entry, pause, reason = ARGV[3] == '1' and retries or stream, ARGV[4], tonumber(ARGV[8]), ARGV[10]
if not held(from, group, consumer, entry, ARGV[5]) then return 0 end
local found = redis.call('XRANGE', from, entry, entry)[1]
local progress = redis.call('HGET', base .. 'g:' .. group, nameIn(from, entry))
if progress then redis.call('HDEL', base .. 'g:' .. group, nameIn(from, entry)) end
local lane = release(group, nameIn(from, entry))
redis.call('XACK', from, group, entry)
if from == retries then redis.call('XDEL', from, entry) end
if not found then return 1 end
local fields = {}
for at = 1, #found[2], 2 do
  local name = found[2][at]
  if name ~= 'n' and name ~= 'f' and not (progress and name == 'g') then
    fields[#fields + 1] = name
    fields[#fields + 1] = found[2][at + 1]
  end
end
for _, each in ipairs({ 'n', ARGV[6], 'f', ARGV[7] }) do fields[#fields + 1] = each end
for _, each in ipairs(progress and { 'g', progress } or {}) do fields[#fields + 1] = each end
-- Something else has written it
if string.sub(fields[1], 1, 1) ~= ':' then fields = { ':' .. entry, '', unpack(fields) } end
local id = idOf(fields)
if lane and not reason and ARGV[9] == '1' then hold(group, 'i' .. id, lane) end
if reason then
  local dead, died, now = base .. 'dead:' .. group, base .. 'died:' .. group, milliseconds()
  for _, each in ipairs({ 'reason', reason, 'at', tostring(now) }) do fields[#fields + 1] = each end
  forget(group, fields)
  redis.call('HSET', dead, id, cmsgpack.pack(fields))
  -- Those of one millisecond stay in the order of their deaths
  local last = redis.call('ZRANGE', died, -1, -1, 'WITHSCORES')[2]
  redis.call('ZADD', died, math.max(now * 1000, (tonumber(last) or 0) + 1), id)
  for _, old in ipairs(redis.call('ZRANGE', died, 0, -tonumber(ARGV[11]) - 1)) do
    redis.call('ZREM', died, old)
    redis.call('HDEL', dead, old)
  end
elseif pause > 0 then
  local at = milliseconds() + pause
  redis.call('ZADD', base .. 'p:' .. group, at, cmsgpack.pack(fields))
  put(group, id, 'p', at)
else
  put(group, id, 'r', redis.call('XADD', retries, '*', unpack(fields)))
  ring(group)
end
return 1`,
);

/**
 * Acknowledges one delivery and keeps its result. ARGV: group, consumer, 1 when it is from the retries, entry, count, id,
 * deliveries, failures, result, the most results that a group keeps. Returns 0 when it is in other hands.
 */
export const finishScript: Script = script(
  1,
  `${common}${possession}${places}${holding}
local group, consumer, retries = ARGV[1], ARGV[2], base .. 'r:' .. ARGV[1]
local from, entry, id = ARGV[3] == '1' and retries or stream, ARGV[4], ARGV[6]
if not held(from, group, consumer, entry, ARGV[5]) then return 0 end
local progress = redis.call('HGET', base .. 'g:' .. group, nameIn(from, entry))
if not progress and from == retries then
  local found = redis.call('XRANGE', from, entry, entry)[1]
  progress = found and fieldOf(found[2], 'g')
end
settled(from, group, { entry })
redis.call('XACK', from, group, entry)
if from == retries then redis.call('XDEL', from, entry) end
local done, ended = base .. 'done:' .. group, base .. 'ended:' .. group
redis.call('HSET', done, id, cmsgpack.pack({ tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9], progress or false }))
local last = redis.call('ZRANGE', ended, -1, -1, 'WITHSCORES')[2]
redis.call('ZADD', ended, math.max(milliseconds() * 1000, (tonumber(last) or 0) + 1), id)
for _, old in ipairs(redis.call('ZRANGE', ended, 0, -tonumber(ARGV[10]) - 1)) do
  redis.call('ZREM', ended, old)
  redis.call('HDEL', done, old)
end
return 1`,
);

/** Keeps how far a handler is. ARGV: group, consumer, 1 when it is from the retries, entry, count, value. Returns as above. */
export const progressScript: Script = script(
  1,
  `${common}${possession}${places}${holding}
local from = ARGV[3] == '1' and base .. 'r:' .. ARGV[1] or stream
if not held(from, ARGV[1], ARGV[2], ARGV[4], ARGV[5]) then return 0 end
redis.call('HSET', base .. 'g:' .. ARGV[1], nameIn(from, ARGV[4]), ARGV[6])
return 1`,
);
