import { type Script, script } from '@ashlar/store/redis-connection';
import { fetching } from '../fetch.ts';

const sharing = `
local sharing = {}
for each in string.gmatch(ARGV[8], '%S+') do sharing[#sharing + 1] = tonumber(each) end
local ordered, fair, byKey, most = sharing[1] == 1, sharing[2] == 1, sharing[3] == 1, sharing[4]
local rate = { count = sharing[5], perMs = sharing[6] }
local keyRate = { count = sharing[7], perMs = sharing[8] }
local time = redis.call('TIME')
local at = time[1] * 1000 + time[2] / 1000
local ready, blocked = base .. 'ring:' .. group, base .. 'blocked:' .. group
-- The length keeps groups apart whose names begin alike
local own = #group .. ':' .. group .. ':'
local function laneKey(lane)
  return base .. 'l:' .. own .. lane
end
-- What came while a range was left behind, and is to be behind that
local late = base .. 'late:' .. group
local function newsKey(lane)
  return base .. 'n:' .. own .. lane
end
local function laneOf(fields)
  local key = byKey and fieldOf(fields, 'k')
  return key and 'k' .. key or '-'
end
`;

/** A bucket that holds `count` tokens and refills evenly: the time when it is full is all there is to know of it. */
const buckets = `
local function bucketOf(lane)
  return base .. 'rate:' .. own .. lane
end
local function availableAt(lane, limit)
  if limit.count == 0 then return 0 end
  return (tonumber(redis.call('GET', bucketOf(lane))) or 0) - (limit.perMs - limit.perMs / limit.count)
end
local function take(lane, limit)
  if limit.count == 0 then return end
  local full = math.max(tonumber(redis.call('GET', bucketOf(lane))) or 0, at) + limit.perMs / limit.count
  redis.call('SET', bucketOf(lane), string.format('%.3f', full), 'PX', math.ceil(full - at + 1))
end
`;

const placing = `
local function rankOf(name)
  local ms, seq = string.match(name, '(%d+)-(%d+)')
  return string.format('%.0f', ms * 4096 + math.min(tonumber(seq), 4095))
end
local hasNews = redis.call('EXISTS', late) == 1
local function headOf(lane)
  local head = redis.call('LINDEX', laneKey(lane), 0)
  if head or not hasNews or redis.call('SREM', late, lane) == 0 then return head end
  redis.pcall('RENAME', newsKey(lane), laneKey(lane))
  return redis.call('LINDEX', laneKey(lane), 0)
end
-- Puts a lane where it belongs; whether its first message may start
local function place(lane)
  local head = headOf(lane)
  local nextAt = 0
  if head and lane ~= '-' then
    if most > 0 and tonumber(redis.call('HGET', base .. 'busy:' .. group, lane) or 0) >= most then head = false end
    nextAt = availableAt(lane, keyRate)
  end
  if not head or nextAt > at then
    redis.call('ZREM', ready, lane)
    if head then redis.call('ZADD', blocked, nextAt, lane) else redis.call('ZREM', blocked, lane) end
    return false
  end
  redis.call('ZREM', blocked, lane)
  if not fair then
    redis.call('ZADD', ready, rankOf(head), lane)
  elseif not redis.call('ZSCORE', ready, lane) then
    redis.call('ZADD', ready, redis.call('INCR', base .. 'turn:' .. group), lane)
  end
  return true
end
local touched = {}
local function lineFirst(lane, name)
  redis.call('LPUSH', laneKey(lane), name)
  touched[lane] = true
end
`;

/** How much one claim files, so that it does not hold up the server. */
const fileCount = 250;

const filing = `
local function isEarlier(a, b)
  local aMs, aSeq = string.match(a[2][1], '(%d+)-(%d+)')
  local bMs, bSeq = string.match(b[2][1], '(%d+)-(%d+)')
  if aMs ~= bMs then return tonumber(aMs) < tonumber(bMs) end
  return tonumber(aSeq) < tonumber(bSeq)
end
local function inLane(lane, names, isNew, isBehind)
  local list = laneKey(lane)
  if isNew and isBehind then
    redis.call('SADD', late, lane)
    hasNews = true
    list = newsKey(lane)
  elseif isNew and hasNews and redis.call('SISMEMBER', late, lane) == 1 then
    list = newsKey(lane)
  end
  redis.call('RPUSH', list, unpack(names))
  touched[lane] = true
end
local function fileAll(entries, isNew, isBehind)
  local lanes = {}
  for _, each in ipairs(entries) do
    local from, entry, fields = each[1], each[2][1], each[2][2]
    if not passed(from, entry) then
      local comesBack = fieldOf(fields, 'n')
      if comesBack then release(group, 'i' .. idOf(fields)) end
      local lane, name = laneOf(fields), nameIn(from, entry)
      if ordered and comesBack then
        lineFirst(lane, name)
      else
        lanes[lane] = lanes[lane] or {}
        table.insert(lanes[lane], name)
      end
    end
  end
  for lane, names in pairs(lanes) do inLane(lane, names, isNew, isBehind) end
end
-- Whether there may be more
local function file()
  if paused then return false end
  local older, news, sources, more, isBehind = {}, {}, 0, false, false
  local hasRange = redis.call('EXISTS', base .. 'behind:' .. group) == 1
  for _, from in ipairs({ retries, stream }) do
    local after, read = hasRange and rangeOf(group, from), nil
    if not (after and ordered) then
      read = redis.call('XREADGROUP', 'GROUP', group, nobody, 'COUNT', ${fileCount}, 'STREAMS', from, '>')
      read = read and read[1][2]
    end
    for _, entry in ipairs(read or {}) do news[#news + 1] = { from, entry } end
    sources = sources + (read and 1 or 0)
    if read and #read == ${fileCount} then
      more = true
      if byKey and not ordered and not after then leaveBehind(group, from, read[#read][1]) end
    end
    if after then
      more, isBehind = true, true
      local ids = {}
      for _, entry in ipairs(nextBehind(group, from, ${fileCount} - math.floor(#(read or {}) / 2))) do
        older[#older + 1] = { from, entry }
        ids[#ids + 1] = entry[1]
      end
      claimUnread(group, from, nobody, ids)
    end
  end
  -- Each by itself is in order
  if sources == 2 then table.sort(news, isEarlier) end
  fileAll(older, false)
  fileAll(news, true, isBehind)
  return more
end
local function fileLost(from, entry, count)
  local found = redis.call('XRANGE', from, entry, entry)[1]
  local lane = release(group, nameIn(from, entry)) or found and laneOf(found[2])
  if not found then return redis.call('XACK', from, group, entry) end
  redis.call('XCLAIM', from, group, nobody, 0, entry, 'RETRYCOUNT', count + 1, 'JUSTID')
  lineFirst(lane, nameIn(from, entry))
end
-- Something else may have taken away what a key waits for
local function audit()
  if not redis.call('SET', base .. 'audit:' .. group, 1, 'NX', 'PX', math.ceil(lease)) then return end
  for _, holder in ipairs(redis.call('HKEYS', base .. 'hands:' .. group)) do
    local is
    if string.sub(holder, 1, 1) == 'i' then
      is = redis.call('HEXISTS', base .. 'j:' .. group, string.sub(holder, 2)) == 1
    else
      local from, entry = named(group, holder)
      is = inHands(from, group, entry)
    end
    if not is then release(group, holder) end
  end
end
`;

/**
 * Hands out as a consumer shares by keys: `fetchScript` for those, with the same answer. ARGV: as there; how it shares
 * is: 1 if ordered, 1 if fair, 1 if keys have lanes, the most of a key at once, then count and milliseconds of the rate of all and of that of a
 * key, 0 where there is no such limit.
 */
export const claimScript: Script = script(
  1,
  `${fetching}${sharing}${buckets}${placing}${filing}
redis.call('ZADD', base .. 'keyed', now, group)
if ARGV[5] == '1' then
  audit()
  eachLost(group, lease, function() return ${fileCount} end, fileLost)
end
local more = file()
if passesOver and redis.call('EXISTS', canceled) == 1 then setAside(group) end
for _, lane in ipairs(redis.call('ZRANGEBYSCORE', blocked, '-inf', at, 'LIMIT', 0, 1000)) do touched[lane] = true end
for lane in pairs(touched) do place(lane) end
local function hand(name, lane)
  local from, entry = named(group, name)
  local pending = pendingAt(from, group, entry)
  if not pending or pending[2] ~= nobody or not claim(from, entry, pending[4]) then return end
  take('', rate)
  if lane == '-' then return end
  take(lane, keyRate)
  hold(group, name, lane)
end
local nextAt = availableAt('', rate)
while room() > 0 and nextAt <= at do
  local lane = redis.call('ZRANGE', ready, 0, 0)[1]
  if not lane then break end
  -- Others may share otherwise
  if place(lane) then
    hand(redis.call('LPOP', laneKey(lane)), lane)
    -- It goes to the end of its turn
    redis.call('ZREM', ready, lane)
    place(lane)
  end
  nextAt = availableAt('', rate)
end
local due = math.min(firstDue(pausing), firstDue(delayed), firstDue(blocked))
if nextAt > at and redis.call('ZCARD', ready) > 0 then
  due = math.min(due, nextAt)
elseif not paused and (more or redis.call('ZCARD', ready) > 0) then
  ring(group)
end
if more then due = at end
return { due == math.huge and -1 or math.max(0, math.ceil(due - at)), found }`,
);
