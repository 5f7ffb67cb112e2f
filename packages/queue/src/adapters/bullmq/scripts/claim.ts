import { type Script, script } from '@ashlar/store/redis-connection';

/** How many of each list one claim sorts, so that it does not hold up the server. */
const sortCount = 250;

/**
 * Hands out the next job of a queue by its keys: in turn, in order, within limits. It takes the place of BullMQ's
 * `moveToActive`, and answers as that does.
 *
 * A job that waits is sorted into the lane of its key once. It stays in BullMQ's `prioritized` all the time, with a score in a band
 * that BullMQ gives to none: so any other worker finds it, and what removes it there needs to know nothing of lanes. A
 * lane is a sorted set of jobs, in the order in which they start; of one that is no longer in `prioritized` nothing is
 * believed. With `ordered`, a lane keeps a job until it is finished. A lane is in `ring` while its first job may start, and in
 * `blocked`, by the time when it is to be looked at again, while not.
 *
 * What is more than one claim sorts is sorted from its beginning, and what comes meanwhile beside that, as its key may have its turn:
 * the hash `behind` has how many were left, and the rank of the last of them that was sorted. Not with `ordered`, where what is older
 * of the key comes first.
 *
 * KEYS: the beginning of our own keys. ARGV: the beginning of BullMQ's keys, now (by the clock of the workers, as BullMQ
 * measures delays), lease, token, 1 if ordered, 1 if fair, then count and milliseconds of the rate of all and of that of
 * a key, and the most of a key at once, 0 where there is no such limit; the present time as an `expirytime`; 1 to hand one out, 0 only to sort; then lane and
 * job of each that was settled since. A fifth element of the answer is 1 when there is more to sort.
 */
export const claimScript: Script = script(
  1,
  `
local own, base, now, lease, token = KEYS[1] .. ':', ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local ordered, fair = ARGV[5] == '1', ARGV[6] == '1'
local rate = { count = tonumber(ARGV[7]), perMs = tonumber(ARGV[8]) }
local keyRate = { count = tonumber(ARGV[9]), perMs = tonumber(ARGV[10]) }
local most = tonumber(ARGV[11])
local time = redis.call('TIME')
local at = time[1] * 1000 + time[2] / 1000

local prioritized, events = base .. 'prioritized', base .. 'events'
local mode = (ordered and 2 or 0) + (fair and 1 or 0)
-- Four bands, one for each mode, above all that priorities of BullMQ make
local low = 2 ^ 52 + mode * 2 ^ 50
local high = low + 2 ^ 50
local ring, blocked = own .. 'ring:' .. mode, own .. 'blocked:' .. mode

local function exact(number)
  return string.format('%.0f', number)
end
local function laneKey(lane)
  return own .. 'lane:' .. mode .. ':' .. lane
end
local function isKeyed(lane)
  return lane ~= '-'
end
local function waits(id)
  local score = tonumber(redis.call('ZSCORE', prioritized, id))
  return score and score >= low and score < high
end

-- A bucket that holds count tokens and refills evenly: the time when it is full is all there is to know of it
local function availableAt(key, limit)
  local full = tonumber(redis.call('GET', key)) or 0
  return full - (limit.perMs - limit.perMs / limit.count)
end
local function take(key, limit)
  local full = math.max(tonumber(redis.call('GET', key)) or 0, at) + limit.perMs / limit.count
  redis.call('SET', key, string.format('%.3f', full), 'PX', math.ceil(full - at + 1))
end

-- One whose time is over is handed out to be dropped, and takes none
local function isOver(id)
  local data = redis.call('HGET', base .. id, 'data')
  if not data or not string.find(data, '"expirytime"', 1, true) then return false end
  local isJson, event = pcall(cjson.decode, data)
  local time = isJson and type(event) == 'table' and event.expirytime
  return type(time) == 'string' and time <= ARGV[12]
end

local function hands(lane)
  local key = own .. 'hands:' .. lane
  local count = redis.call('SCARD', key)
  if count < most then return count end
  for _, id in ipairs(redis.call('SMEMBERS', key)) do
    if redis.call('EXISTS', base .. id .. ':lock') == 0 then
      redis.call('SREM', key, id)
      count = count - 1
    end
  end
  return count
end

local function block(lane, untilMs)
  redis.call('ZREM', ring, lane)
  redis.call('ZADD', blocked, untilMs, lane)
end

-- Puts a lane where it belongs
local function place(lane)
  local jobs = laneKey(lane)
  local first
  while true do
    first = redis.call('ZRANGE', jobs, 0, 0, 'WITHSCORES')
    local id = first[1]
    if not id then
      redis.call('ZREM', ring, lane)
      redis.call('ZREM', blocked, lane)
      return
    end
    if waits(id) then break end
    local job = base .. id
    if ordered and isKeyed(lane) and redis.call('EXISTS', job) == 1 and redis.call('HEXISTS', job, 'finishedOn') == 0 then
      return block(lane, at + 1000)
    end
    redis.call('ZREM', jobs, id)
  end
  if isKeyed(lane) then
    if most > 0 and hands(lane) >= most then return block(lane, at + 1000) end
    if keyRate.count > 0 then
      local nextAt = availableAt(own .. 'rate:' .. lane, keyRate)
      if nextAt > at then return block(lane, nextAt) end
    end
  end
  redis.call('ZREM', blocked, lane)
  if not fair then
    redis.call('ZADD', ring, first[2], lane)
  elseif not redis.call('ZSCORE', ring, lane) then
    redis.call('ZADD', ring, redis.call('INCR', own .. 'turn'), lane)
  end
end

local touched, scores, isBehind = {}, {}, false
local function score(key, rank, id)
  local list = scores[key] or {}
  list[#list + 1] = exact(rank)
  list[#list + 1] = id
  scores[key] = list
end
-- The first is behind all that was sorted before, unless its rank is given
local function sort(ids, rank)
  if #ids == 0 then return end
  rank = rank or redis.call('INCRBY', own .. 'order', #ids) - #ids + 1
  for at, id in ipairs(ids) do
    local found = redis.call('HMGET', base .. id, 'opts', 'priority')
    if found[1] then
      local isRead, opts = pcall(cjson.decode, found[1])
      local key = isRead and type(opts) == 'table' and opts.partitionkey
      local lane, position = key and 'k' .. tostring(key) or '-', rank + at - 1
      if ordered and key then
        -- One that comes again has kept its place
        position = tonumber(redis.call('ZSCORE', laneKey(lane), id)) or position
      else
        position = position + math.min(tonumber(found[2]) or 0, 31) * 2 ^ 45
      end
      score(laneKey(lane), position, id)
      score(prioritized, low + position, id)
      touched[lane] = true
    end
  end
  isBehind = isBehind or #ids == ${sortCount}
end
local function sortWaiting()
  local wait, behind = base .. 'wait', own .. 'behind:' .. mode
  local left, rank = unpack(redis.call('HMGET', behind, 'left', 'rank'))
  local news = left and redis.call('LLEN', wait) - left or 0
  local oldest = redis.call('RPOP', wait, ${sortCount}) or {}
  if news > 0 then
    local newest, inOrder = redis.call('LPOP', wait, math.min(news, ${sortCount})) or {}, {}
    for at = #newest, 1, -1 do inOrder[#inOrder + 1] = newest[at] end
    sort(inOrder)
  end
  sort(oldest, left and rank + 1)
  if ordered or #oldest < ${sortCount} then
    if left then redis.call('DEL', behind) end
    return
  end
  local length = redis.call('LLEN', wait)
  if not left then rank = redis.call('INCRBY', own .. 'order', length) - length end
  redis.call('HSET', behind, 'left', length, 'rank', left and rank + #oldest or rank)
end

local meta = redis.call('HMGET', base .. 'meta', 'paused', 'concurrency', 'max', 'duration')
for at = 14, #ARGV, 2 do
  redis.call('SREM', own .. 'hands:' .. ARGV[at], ARGV[at + 1])
  touched[ARGV[at]] = true
end
local due = redis.call('ZRANGEBYSCORE', base .. 'delayed', 0, exact((now + 1) * 0x1000 - 1), 'LIMIT', 0, ${sortCount})
for _, id in ipairs(due) do
  redis.call('ZREM', base .. 'delayed', id)
  redis.call('HSET', base .. id, 'delay', 0)
  redis.call('XADD', events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
end
sort(due)
sortWaiting()
sort(redis.call('ZRANGEBYSCORE', prioritized, '-inf', '(' .. exact(low), 'LIMIT', 0, ${sortCount}))
sort(redis.call('ZRANGEBYSCORE', prioritized, exact(high), '+inf', 'LIMIT', 0, ${sortCount}))
for key, list in pairs(scores) do redis.call('ZADD', key, unpack(list)) end
for _, lane in ipairs(redis.call('ZRANGEBYSCORE', blocked, '-inf', at, 'LIMIT', 0, 100)) do touched[lane] = true end
for lane in pairs(touched) do place(lane) end

local function wakeOthers()
  if isBehind or redis.call('ZCARD', ring) > 0 then redis.call('ZADD', base .. 'marker', 0, '0') end
end
local function nothing(limitMs, untilMs)
  return { 0, 0, limitMs, untilMs, isBehind and 1 or 0 }
end
local function delayUntil()
  local soonest = math.huge
  local first = redis.call('ZRANGE', base .. 'delayed', 0, 0, 'WITHSCORES')
  if first[2] then soonest = math.floor(first[2] / 0x1000) end
  local lane = redis.call('ZRANGE', blocked, 0, 0, 'WITHSCORES')
  if lane[2] then soonest = math.min(soonest, now + math.max(1, lane[2] - at)) end
  return soonest == math.huge and 0 or math.ceil(soonest)
end

if meta[1] or (meta[2] and redis.call('LLEN', base .. 'active') >= tonumber(meta[2])) then return nothing(0, 0) end
if ARGV[13] == '0' then
  wakeOthers()
  return nothing(0, 0)
end
if meta[3] and (tonumber(redis.call('GET', base .. 'limiter')) or 0) >= tonumber(meta[3]) then
  local ttl = redis.call('PTTL', base .. 'limiter')
  if ttl > 0 then return nothing(ttl, 0) end
end
if rate.count > 0 then
  local nextAt = availableAt(own .. 'rate', rate)
  if nextAt > at then return nothing(0, math.ceil(now + nextAt - at)) end
end

local lane, id
repeat
  lane = redis.call('ZRANGE', ring, 0, 0)[1]
  if not lane then return nothing(0, delayUntil()) end
  id = redis.call('ZRANGE', laneKey(lane), 0, 0)[1]
  -- It may have been taken or removed by others, or another of the lane may have begun
  if not id or not waits(id) then
    place(lane)
    id = nil
  end
until id

redis.call('ZREM', prioritized, id)
if not (ordered and isKeyed(lane)) then redis.call('ZREM', laneKey(lane), id) end
local counts = rate.count + keyRate.count > 0 and not isOver(id)
if counts and rate.count > 0 then take(own .. 'rate', rate) end
if isKeyed(lane) then
  if counts and keyRate.count > 0 then take(own .. 'rate:' .. lane, keyRate) end
  if most > 0 then
    redis.call('SADD', own .. 'hands:' .. lane, id)
    redis.call('PEXPIRE', own .. 'hands:' .. lane, 86400000)
  end
end
-- As BullMQ does it
local job = base .. id
redis.call('LPUSH', base .. 'active', id)
redis.call('SET', job .. ':lock', token, 'PX', lease)
redis.call('XADD', events, '*', 'event', 'active', 'jobId', id, 'prev', 'waiting')
redis.call('HSET', job, 'processedOn', now)
redis.call('HINCRBY', job, 'ats', 1)
if meta[3] and redis.call('INCR', base .. 'limiter') == 1 then
  redis.call('PEXPIRE', base .. 'limiter', math.floor(tonumber(meta[4]) or 1000))
end
-- The lane goes to the end of its turn
redis.call('ZREM', ring, lane)
place(lane)
wakeOthers()
return { redis.call('HGETALL', job), id, 0, 0, isBehind and 1 or 0 }`,
);
