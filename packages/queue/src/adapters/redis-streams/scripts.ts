import { type Script, script } from '@ashlar/store/redis-connection';

/**
 * What all scripts know. KEYS[1] is the stream of the topic; its name without the last letter begins the names of all keys.
 * A message is the fields `i` id, `h` headers as JSON, `b` body, and where there are such: `k` key, `x` when it expires, `n` deliveries before, `f`
 * failures.
 *
 * A group reads the stream `s` of the topic, and `r:<group>`: what comes again. Paused messages are packed in the sorted
 * set `p:<group>`, delayed ones of the topic in `z`, by the time when they are due; dead ones in the hash `dead:<group>`,
 * in the order of the sorted set `died:<group>`.
 */
const common = `
local stream = KEYS[1]
local base = string.sub(stream, 1, -2)
local function milliseconds()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end
`;

const promotion = `
local function promote(due, into, now)
  local packed = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, 100)
  for _, each in ipairs(packed) do
    redis.call('ZREM', due, each)
    redis.call('XADD', into, '*', unpack(cmsgpack.unpack(each)))
  end
end
local function firstDue(due)
  local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
  return first[2] and tonumber(first[2]) or math.huge
end
`;

/**
 * Whether a delivery is still in the hands that settle it: of that consumer, and delivered no more often. Of many deliveries,
 * one look at all that the consumer holds is cheaper than one for each.
 */
const holding = `
local function held(from, group, consumer, entry, count)
  local found = redis.call('XPENDING', from, group, entry, entry, 1, consumer)[1]
  return found and found[4] == tonumber(count)
end
local function sorted(first)
  local retries = base .. 'r:' .. ARGV[1]
  local count = (#ARGV - first + 1) / 3
  local holds = {}
  if count > 4 then
    for _, from in ipairs({ stream, retries }) do
      holds[from] = {}
      for _, each in ipairs(redis.call('XPENDING', from, ARGV[1], '-', '+', 10000, ARGV[2])) do
        holds[from][each[1]] = each[4]
      end
    end
  end
  local results, entries = {}, { [stream] = {}, [retries] = {} }
  for at = first, #ARGV, 3 do
    local from, entry, deliveries = ARGV[at] == '1' and retries or stream, ARGV[at + 1], ARGV[at + 2]
    local is
    if holds[from] then is = holds[from][entry] == tonumber(deliveries) else is = held(from, ARGV[1], ARGV[2], entry, deliveries) end
    if is then table.insert(entries[from], entry) end
    results[#results + 1] = is and 1 or 0
  end
  return results, entries, retries
end
`;

/** Makes a group. ARGV: group. */
export const declareScript: Script = script(
  1,
  `${common}
local made = redis.pcall('XGROUP', 'CREATE', stream, ARGV[1], '$', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
made = redis.pcall('XGROUP', 'CREATE', base .. 'r:' .. ARGV[1], ARGV[1], '0', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
return true`,
);

/**
 * Publishes. ARGV: window of ids in milliseconds, most messages, then of each message: id, headers, body, key or '',
 * delay, milliseconds until it expires or ''. Returns nothing without a group, else of each 1, or 0 when it is too many.
 *
 * The ids of a window are in one set, and those of the window before in another; so each is kept for one window at least.
 */
export const publishScript: Script = script(
  1,
  `${common}
if redis.call('EXISTS', stream) == 0 then return false end
local window, now = tonumber(ARGV[1]), milliseconds()
local bucket = math.floor(now / window)
local recent, before = base .. 'i:' .. bucket, base .. 'i:' .. (bucket - 1)
local room = ARGV[2] - redis.call('XLEN', stream) - redis.call('ZCARD', base .. 'z')
local results = {}
for at = 3, #ARGV, 6 do
  local id = ARGV[at]
  if redis.call('SISMEMBER', recent, id) == 1 or redis.call('SISMEMBER', before, id) == 1 then
    results[#results + 1] = 1
  elseif room <= 0 then
    results[#results + 1] = 0
  else
    local fields = { 'i', id, 'h', ARGV[at + 1], 'b', ARGV[at + 2] }
    if ARGV[at + 3] ~= '' then
      fields[7] = 'k'
      fields[8] = ARGV[at + 3]
    end
    if ARGV[at + 5] ~= '' then
      fields[#fields + 1] = 'x'
      fields[#fields + 1] = now + ARGV[at + 5]
    end
    if ARGV[at + 4] == '0' then
      redis.call('XADD', stream, '*', unpack(fields))
    else
      redis.call('ZADD', base .. 'z', now + ARGV[at + 4], cmsgpack.pack(fields))
    end
    redis.call('SADD', recent, id)
    room = room - 1
    results[#results + 1] = 1
  end
end
redis.call('PEXPIRE', recent, 2 * window)
return results`,
);

/**
 * Hands out what is due, what has lost its consumer, and what is new: in this order, as many as there are places. ARGV:
 * base, group, consumer, places, lease, 1 to look for lost ones, 1 to hand out again what this consumer holds without
 * knowing, then the entries that it knows of. Returns in how many milliseconds the next is due, or −1, and of each message:
 * 1 when it is from the retries, its entry, the count of its deliveries, its id, headers, body and key, and the deliveries and
 * failures before this entry.
 */
export const fetchScript: Script = script(
  1,
  `${common}${promotion}
local group, consumer, places, lease = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local retries, pausing, delayed = base .. 'r:' .. group, base .. 'p:' .. group, base .. 'z'
local now = milliseconds()
promote(pausing, retries, now)
promote(delayed, stream, now)
local found = {}
local function add(from, entry, count, fields)
  local id, headers, body, key, deliveries, failures = fields[2], fields[4], fields[6], '', 0, 0
  for at = 7, #fields, 2 do
    local name, value = fields[at], fields[at + 1]
    if name == 'k' then
      key = value
    elseif name == 'n' then
      deliveries = tonumber(value)
    elseif name == 'f' then
      failures = tonumber(value)
    elseif name == 'x' and tonumber(value) <= now then
      redis.call('XACK', from, group, entry)
      if from == retries then redis.call('XDEL', from, entry) end
      return
    end
  end
  found[#found + 1] = { from == retries and 1 or 0, entry, count, id, headers, body, key, deliveries, failures }
end
if ARGV[6] == '1' then
  local known = {}
  for at = 7, #ARGV do known[ARGV[at]] = true end
  for _, from in ipairs({ retries, stream }) do
    for _, pending in ipairs(redis.call('XPENDING', from, group, '-', '+', 1000, consumer)) do
      if not known[pending[1]] then
        local entry = redis.call('XRANGE', from, pending[1], pending[1])[1]
        if entry then add(from, pending[1], pending[4], entry[2]) end
      end
    end
  end
end
if ARGV[5] == '1' then
  for _, from in ipairs({ retries, stream }) do
    if places > #found then
      for _, pending in ipairs(redis.call('XPENDING', from, group, 'IDLE', lease, '-', '+', places - #found)) do
        local entry = redis.call('XCLAIM', from, group, consumer, lease, pending[1])[1]
        if entry then add(from, pending[1], pending[4] + 1, entry[2]) end
      end
    end
  end
end
for _, from in ipairs({ retries, stream }) do
  while places > #found do
    local read = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', places - #found, 'STREAMS', from, '>')
    if not read then break end
    for _, entry in ipairs(read[1][2]) do add(from, entry[1], 1, entry[2]) end
  end
end
local due = math.min(firstDue(pausing), firstDue(delayed))
return { due == math.huge and -1 or math.max(0, due - now), found }`,
);

/**
 * Acknowledges. ARGV: group, consumer, then of each delivery, at most 1 000: 1 when it is from the retries, its entry, its
 * count. Returns of each 1, or 0 when it is in other hands.
 */
export const ackScript: Script = script(
  1,
  `${common}${holding}
local results, entries, retries = sorted(3)
for from, ids in pairs(entries) do
  if #ids > 0 then
    redis.call('XACK', from, ARGV[1], unpack(ids))
    if from == retries then redis.call('XDEL', from, unpack(ids)) end
  end
end
return results`,
);

/** Extends. ARGV as those of acknowledging, with the milliseconds of which the lease is over already after the consumer. */
export const extendScript: Script = script(
  1,
  `${common}${holding}
local results, entries = sorted(4)
for from, ids in pairs(entries) do
  for _, entry in ipairs(ids) do
    redis.call('XCLAIM', from, ARGV[1], ARGV[2], 0, entry, 'IDLE', ARGV[3], 'JUSTID')
  end
end
return results`,
);

/**
 * Fails or gives back one delivery. ARGV: group, consumer, 1 when it is from the retries, entry, count, deliveries and
 * failures from now on, pause in milliseconds, and the reason if it is dead, with the most dead letters. Returns 0 when it
 * is in other hands.
 */
export const nackScript: Script = script(
  1,
  `${common}${holding}
local group, consumer, retries = ARGV[1], ARGV[2], base .. 'r:' .. ARGV[1]
local from, entry, pause, reason = ARGV[3] == '1' and retries or stream, ARGV[4], tonumber(ARGV[8]), ARGV[9]
if not held(from, group, consumer, entry, ARGV[5]) then return 0 end
local found = redis.call('XRANGE', from, entry, entry)[1]
redis.call('XACK', from, group, entry)
if from == retries then redis.call('XDEL', from, entry) end
if not found then return 1 end
local fields = {}
for at = 1, #found[2], 2 do
  local name = found[2][at]
  if name ~= 'n' and name ~= 'f' then
    fields[#fields + 1] = name
    fields[#fields + 1] = found[2][at + 1]
  end
end
for _, each in ipairs({ 'n', ARGV[6], 'f', ARGV[7] }) do fields[#fields + 1] = each end
if reason then
  local dead, died, now = base .. 'dead:' .. group, base .. 'died:' .. group, milliseconds()
  for _, each in ipairs({ 'reason', reason, 'at', tostring(now) }) do fields[#fields + 1] = each end
  local id = fields[2]
  redis.call('HSET', dead, id, cmsgpack.pack(fields))
  -- Those of one millisecond stay in the order of their deaths
  local last = redis.call('ZRANGE', died, -1, -1, 'WITHSCORES')[2]
  redis.call('ZADD', died, math.max(now * 1000, (tonumber(last) or 0) + 1), id)
  for _, old in ipairs(redis.call('ZRANGE', died, 0, -tonumber(ARGV[10]) - 1)) do
    redis.call('ZREM', died, old)
    redis.call('HDEL', dead, old)
  end
elseif pause > 0 then
  redis.call('ZADD', base .. 'p:' .. group, milliseconds() + pause, cmsgpack.pack(fields))
else
  redis.call('XADD', retries, '*', unpack(fields))
end
return 1`,
);

/**
 * Deletes from the stream what every group is done with, and forgets consumers that hold nothing and were silent for an
 * hour.
 */
export const trimScript: Script = script(
  1,
  `${common}
local function before(a, b)
  local aMs, aSeq = string.match(a, '(%d+)-(%d+)')
  local bMs, bSeq = string.match(b, '(%d+)-(%d+)')
  if aMs ~= bMs then return tonumber(aMs) < tonumber(bMs) end
  return tonumber(aSeq) < tonumber(bSeq)
end
local function fieldsOf(list)
  local fields = {}
  for at = 1, #list, 2 do fields[list[at]] = list[at + 1] end
  return fields
end
local first
for _, each in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local group = fieldsOf(each)
  local pending = redis.call('XPENDING', stream, group.name)
  local needs = pending[2] or group['last-delivered-id']
  if not first or before(needs, first) then first = needs end
  for _, from in ipairs({ stream, base .. 'r:' .. group.name }) do
    for _, one in ipairs(redis.call('XINFO', 'CONSUMERS', from, group.name)) do
      local consumer = fieldsOf(one)
      if consumer.pending == 0 and consumer.idle > 3600000 then
        redis.call('XGROUP', 'DELCONSUMER', from, group.name, consumer.name)
      end
    end
  end
end
if not first then return 0 end
return redis.call('XTRIM', stream, 'MINID', '~', first)`,
);

/** Forgets a consumer that holds nothing. ARGV: group, consumer. */
export const leaveScript: Script = script(
  1,
  `${common}
for _, from in ipairs({ stream, base .. 'r:' .. ARGV[1] }) do
  if #redis.call('XPENDING', from, ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
    redis.call('XGROUP', 'DELCONSUMER', from, ARGV[1], ARGV[2])
  end
end
return 1`,
);

/** A page of dead letters. ARGV: group, limit, and the id after which it begins if any. Returns the packed letters. */
export const inspectScript: Script = script(
  1,
  `${common}
local dead, died, from = base .. 'dead:' .. ARGV[1], base .. 'died:' .. ARGV[1], 0
if ARGV[3] then
  local rank = redis.call('ZRANK', died, ARGV[3])
  if rank then from = rank + 1 end
end
local letters = {}
for _, id in ipairs(redis.call('ZRANGE', died, from, from + ARGV[2] - 1)) do
  local packed = redis.call('HGET', dead, id)
  if packed then letters[#letters + 1] = cmsgpack.unpack(packed) end
end
return letters`,
);

/**
 * Takes dead letters away. ARGV: group, 1 to send them again, the most, and their ids, or none for all. Returns how
 * many it took.
 */
export const takeDeadScript: Script = script(
  1,
  `${common}
local group = ARGV[1]
local dead, died = base .. 'dead:' .. group, base .. 'died:' .. group
local ids = {}
for at = 4, #ARGV do ids[#ids + 1] = ARGV[at] end
if #ids == 0 then ids = redis.call('ZRANGE', died, 0, ARGV[3] - 1) end
local taken = 0
for _, id in ipairs(ids) do
  local packed = redis.call('HGET', dead, id)
  if packed and taken < tonumber(ARGV[3]) then
    redis.call('HDEL', dead, id)
    redis.call('ZREM', died, id)
    if ARGV[2] == '1' then
      local fields, letter = {}, cmsgpack.unpack(packed)
      for at = 1, #letter, 2 do
        local name = letter[at]
        if name == 'i' or name == 'h' or name == 'b' or name == 'k' then
          fields[#fields + 1] = name
          fields[#fields + 1] = letter[at + 1]
        end
      end
      redis.call('XADD', base .. 'r:' .. group, '*', unpack(fields))
    end
    taken = taken + 1
  end
end
return taken`,
);

/** How many there are of each kind. ARGV: group. Returns waiting, delayed, active, dead. */
export const statsScript: Script = script(
  1,
  `${common}
local group, retries = ARGV[1], base .. 'r:' .. ARGV[1]
local function waiting(from)
  for _, each in ipairs(redis.call('XINFO', 'GROUPS', from)) do
    local name, last
    for at = 1, #each, 2 do
      if each[at] == 'name' then name = each[at + 1] end
      if each[at] == 'last-delivered-id' then last = each[at + 1] end
    end
    if name == group then return #redis.call('XRANGE', from, '(' .. last, '+', 'COUNT', 100000) end
  end
  return 0
end
return {
  waiting(stream) + waiting(retries),
  redis.call('ZCARD', base .. 'z') + redis.call('ZCARD', base .. 'p:' .. group),
  redis.call('XPENDING', stream, group)[1] + redis.call('XPENDING', retries, group)[1],
  redis.call('ZCARD', base .. 'died:' .. group),
}`,
);
