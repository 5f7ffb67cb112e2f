import { type Script, script } from '@ashlar/store/redis-connection';
import { aside } from './aside.ts';
import { common, makingRoom, possession } from './common.ts';
import { places } from './places.ts';
import { backlog } from './sharing/backlog.ts';
import { losses } from './sharing/lanes.ts';

const promotion = `
local function promote(due, into, now, entered)
  local packed = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, 100)
  for _, each in ipairs(packed) do
    redis.call('ZREM', due, each)
    local fields = cmsgpack.unpack(each)
    entered(idOf(fields), redis.call('XADD', into, '*', unpack(fields)))
  end
  if #packed > 0 then ringAll() end
end
-- A delayed message is in the stream: its id is known for a while, and groups that have canceled it pass it over
local function share(id, entry)
  local bucket = 'd' .. math.floor(milliseconds() / 60000)
  redis.call('HDEL', base .. 'zi', id)
  redis.call('HSET', base .. 'i:' .. bucket, id, entry)
  redis.call('ZADD', base .. 'ib', milliseconds() + 120000, bucket)
  local without = redis.call('HGET', base .. 'zc', id)
  if not without then return end
  redis.call('HDEL', base .. 'zc', id)
  for group in string.gmatch(without, '[^,]+') do
    if groupOf(stream, group) then
      redis.call('SADD', base .. 'c:' .. group, entry)
      setAside(group)
    end
  end
end
local function firstDue(due)
  local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
  return first[2] and tonumber(first[2]) or math.huge
end
`;

/** Whether its time is over: then the group is done with it. */
const expiry = `
local function isOver(from, group, entry, fields, now)
  for at = 3, #fields, 2 do
    if fields[at] == 'x' and (tonumber(fields[at + 1]) or now + 1) <= now then
      settled(from, group, { entry })
      redis.call('XACK', from, group, entry)
      if from ~= stream then redis.call('XDEL', from, entry) end
      return true
    end
  end
  return false
end
`;

/**
 * How all fetching begins: what is due is moved on, and what this consumer holds without knowing is handed out again. ARGV:
 * group, consumer, places, lease, 1 to look for lost ones, 1 when this consumer may hold what it does not know, 1 when it holds
 * nothing, how it shares, then the entries that it knows of, after an `r` those from the retries.
 */
export const fetching: string = `${makingRoom}${possession}${places}${losses}${aside}${backlog}${promotion}${expiry}
local group, consumer, places, lease = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local retries, pausing, delayed = base .. 'r:' .. group, base .. 'p:' .. group, base .. 'z'
local now = milliseconds()
promote(pausing, retries, now, function(id, entry) put(group, id, 'r', entry) end)
promote(delayed, stream, now, share)
local canceled, passesOver, paused = base .. 'c:' .. group, false, false
if isAside(group) then
  if isPaused(group) then
    places = 0
    paused = true
  else
    putBack(group)
    passesOver = true
  end
end
if ARGV[7] == '1' then redis.call('SADD', base .. 'sure:' .. group, consumer) end
local function passed(from, entry)
  if not passesOver or from ~= stream or redis.call('SREM', canceled, entry) == 0 then return false end
  redis.call('XACK', from, group, entry)
  return true
end
local found = {}
local function add(from, entry, count)
  if passed(from, entry[1]) or isOver(from, group, entry[1], entry[2], now) then return false end
  found[#found + 1] = { from == retries and 1 or 0, count, entry }
  return true
end
if ARGV[6] == '1' then
  local known = {}
  for at = 9, #ARGV do known[ARGV[at]] = true end
  for _, from in ipairs({ retries, stream }) do
    eachHeld(from, group, consumer, function(id, count)
      if known[nameIn(from, id)] then return end
      local entry = redis.call('XRANGE', from, id, id)[1]
      if entry then add(from, entry, count) end
    end)
  end
end
local function room()
  return places - #found
end
local function claim(from, entry, count)
  local claimed = redis.call('XCLAIM', from, group, consumer, 0, entry, 'RETRYCOUNT', count)[1]
  return claimed and add(from, claimed, count)
end
`;

/**
 * Hands out what is due, what has lost its consumer, and what is new: in this order, as many as there are places. ARGV: as
 * above. Returns in how many milliseconds the next is due, or −1, and of each message: 1 when it is from the retries, the count of its
 * deliveries, its entry with its fields.
 */
export const fetchScript: Script = script(
  1,
  `${fetching}
if ARGV[5] == '1' then eachLost(group, lease, room, function(from, entry, count) claim(from, entry, count + 1) end) end
-- What consumers that share by keys have left
local left = isKeyedGroup(group)
if left then
  for _, from in ipairs({ retries, stream }) do
    local pending = room() > 0 and redis.call('XPENDING', from, group, '-', '+', room(), nobody) or {}
    for _, each in ipairs(pending) do claim(from, each[1], each[4]) end
    for _, entry in ipairs(nextBehind(group, from, room())) do
      claimUnread(group, from, consumer, { entry[1] })
      add(from, entry, 1)
    end
  end
  if redis.call('EXISTS', base .. 'behind:' .. group) == 0 and filed(stream, group) + filed(retries, group) == 0 and tonumber(left) < now - 60000 then
    redis.call('ZREM', base .. 'keyed', group)
  end
end
for _, from in ipairs({ retries, stream }) do
  while room() > 0 do
    local read = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', room(), 'STREAMS', from, '>')
    if not read then break end
    for _, entry in ipairs(read[1][2]) do add(from, entry, 1) end
  end
end
if passesOver and redis.call('EXISTS', canceled) == 1 then setAside(group) end
local due = math.min(firstDue(pausing), firstDue(delayed))
return { due == math.huge and -1 or math.max(0, due - now), found }`,
);

/**
 * Of messages that were read without a script: those whose time is over. ARGV: group, then their entries, after an `r` those from
 * the retries.
 */
export const expiredScript: Script = script(
  1,
  `${common}${places}${expiry}
local over, now = {}, milliseconds()
for at = 2, #ARGV do
  local from, id = named(ARGV[1], ARGV[at])
  local entry = redis.call('XRANGE', from, id, id)[1]
  if entry and isOver(from, ARGV[1], id, entry[2], now) then over[#over + 1] = ARGV[at] end
end
return over`,
);

/** Forgets a consumer that holds nothing. ARGV: group, consumer. */
export const leaveScript: Script = script(
  1,
  `${common}
for _, from in ipairs({ stream, base .. 'r:' .. ARGV[1] }) do
  if #redis.call('XPENDING', from, ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
    redis.call('XGROUP', 'DELCONSUMER', from, ARGV[1], ARGV[2])
    redis.call('SREM', base .. 'sure:' .. ARGV[1], ARGV[2])
  end
end
return 1`,
);

/**
 * Deletes from the stream what every group is done with, forgets the ids of that after their time, and consumers that hold
 * nothing and were silent for an hour. ARGV: for how many milliseconds no other does so.
 */
export const trimScript: Script = script(
  1,
  `${makingRoom}${aside}
if not redis.call('SET', base .. 't', 1, 'NX', 'PX', ARGV[1]) then return 0 end
local function following(id)
  local ms, seq = string.match(id, '(%d+)-(%d+)')
  return ms .. '-' .. string.format('%.0f', seq + 1)
end
local first
for _, each in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local group = fieldsOf(each)
  local pending = redis.call('XPENDING', stream, group.name)
  local needs = pending[2] or redis.call('HGET', base .. 'aside:' .. group.name, 's') or following(group['last-delivered-id'])
  local behind = redis.call('HGET', base .. 'behind:' .. group.name, 's')
  if behind and before(behind, needs) then needs = following(behind) end
  if not first or before(needs, first) then first = needs end
  for _, from in ipairs({ stream, base .. 'r:' .. group.name }) do
    for _, one in ipairs(redis.call('XINFO', 'CONSUMERS', from, group.name)) do
      local consumer = fieldsOf(one)
      if consumer.pending == 0 and consumer.idle > 3600000 then
        redis.call('XGROUP', 'DELCONSUMER', from, group.name, consumer.name)
        redis.call('SREM', base .. 'sure:' .. group.name, consumer.name)
      end
    end
  end
end
if not first then return 0 end
local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
local now = milliseconds()
local needed = (not last or not before(first, last[1])) and now or tonumber(string.match(first, '%d+'))
for _, bucket in ipairs(redis.call('ZRANGEBYSCORE', base .. 'ib', '-inf', '(' .. math.min(needed, now))) do
  redis.call('UNLINK', base .. 'i:' .. bucket)
  redis.call('ZREM', base .. 'ib', bucket)
end
-- Exactly, as what is left counts for the most that a topic may hold
return redis.call('XTRIM', stream, 'MINID', first)`,
);
