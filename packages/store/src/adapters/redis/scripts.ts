import { type Script, script } from '../redis-connection/script.ts';

/**
 * What every write does: it appends the key to the log of changes. The ids of the log are `epoch-seq`. The epoch is the
 * microsecond in which this history began, and `seq` has no gaps, so a reader sees what was trimmed, and that everything
 * was lost.
 */
const logging = `
local function logged(log, meta, key)
  local seq = redis.call('HINCRBY', meta, 'seq', 1)
  local epoch = redis.call('HGET', meta, 'epoch')
  if not epoch then
    local now = redis.call('TIME')
    epoch = now[1] .. string.format('%06d', now[2])
    redis.call('DEL', log)
    redis.call('HSET', meta, 'epoch', epoch, 'seq', 1)
    seq = 1
  end
  redis.call('XADD', log, 'MAXLEN', '~', 10000, epoch .. '-' .. seq, 'k', key)
end
local function milliseconds()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end
local function put(value, index, expiry, key, bytes, ttl)
  if ttl == '' then
    redis.call('SET', value, bytes)
    redis.call('ZREM', expiry, key)
  else
    redis.call('SET', value, bytes, 'PX', ttl)
    redis.call('ZADD', expiry, milliseconds() + ttl, key)
  end
  redis.call('ZADD', index, 0, key)
end
local function version(value)
  local head = redis.call('GETRANGE', value, 0, 63)
  if head == '' then return 'absent' end
  return string.sub(head, 2, 1 + string.byte(head))
end
local function sweep(expiry, index, log, meta, values, limit)
  local now = milliseconds()
  local due = redis.call('ZRANGEBYSCORE', expiry, '-inf', now, 'LIMIT', 0, limit)
  for _, key in ipairs(due) do
    local left = redis.call('PTTL', values .. key)
    if left >= 0 then
      redis.call('ZADD', expiry, now + left + 1, key)
    else
      redis.call('ZREM', expiry, key)
      if left == -2 then
        redis.call('ZREM', index, key)
        logged(log, meta, key)
      end
    end
  end
  return #due
end
`;

/**
 * The keys of a store, in the order in which the scripts take them: the index of keys in lexical order, the ends of
 * those that expire, the log of changes, the counters, and the beginning of the values' keys.
 */
const commonKeys = 5;

/** Sets one. ARGV: key, bytes, ttl or '', and the version it must have if any. Returns the version that conflicts. */
export const setScript: Script = script(
  commonKeys + 1,
  `${logging}
local index, expiry, log, meta, values, value = unpack(KEYS)
if ARGV[4] then
  local found = version(value)
  if found ~= ARGV[4] then return found end
end
put(value, index, expiry, ARGV[1], ARGV[2], ARGV[3])
logged(log, meta, ARGV[1])
if ARGV[3] ~= '' then sweep(expiry, index, log, meta, values, 2) end
return false`,
);

/** Sets many. KEYS go on with the values' keys; ARGV: ttl or '', then key and bytes of each. */
export const setManyScript: Script = script(
  commonKeys,
  `${logging}
local index, expiry, log, meta, values = unpack(KEYS, 1, 5)
for i = 6, #KEYS do
  local at = 2 * (i - 6) + 2
  put(KEYS[i], index, expiry, ARGV[at], ARGV[at + 1], ARGV[1])
  logged(log, meta, ARGV[at])
end
if ARGV[1] ~= '' then sweep(expiry, index, log, meta, values, 2 * (#KEYS - 5)) end
return false`,
);

/** Deletes one. ARGV: key, and the version it must have if any. Returns how many it deleted. */
export const deleteScript: Script = script(
  commonKeys + 1,
  `${logging}
local index, expiry, log, meta, values, value = unpack(KEYS)
if ARGV[2] and version(value) ~= ARGV[2] then return 0 end
if redis.call('DEL', value) == 0 then return 0 end
redis.call('ZREM', index, ARGV[1])
redis.call('ZREM', expiry, ARGV[1])
logged(log, meta, ARGV[1])
return 1`,
);

/**
 * One page. ARGV: the first and the last member of the range, the most keys, the most bytes. Returns the key after which
 * the next page begins, if any, and key and value of each; of what is no string, an empty value.
 */
export const pageScript: Script = script(
  commonKeys,
  `local index, values = KEYS[1], KEYS[5]
local keys = redis.call('ZRANGEBYLEX', index, ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
local page, bytes = {}, 0
for i, key in ipairs(keys) do
  local value = redis.pcall('GET', values .. key)
  if type(value) == 'table' then value = '' end
  if value then
    page[#page + 1] = key
    page[#page + 1] = value
    bytes = bytes + #value
  end
  if bytes >= tonumber(ARGV[4]) and i < #keys then return { key, page } end
end
if #keys == tonumber(ARGV[3]) then return { keys[#keys], page } end
return { false, page }`,
);

/** Logs what has expired. ARGV: the most keys. Returns how many were due, and the end of the log. */
export const sweepScript: Script = script(
  commonKeys,
  `${logging}
local index, expiry, log, meta, values = unpack(KEYS)
local due = sweep(expiry, index, log, meta, values, ARGV[1])
local at = redis.call('HMGET', meta, 'epoch', 'seq')
if not at[1] then redis.call('DEL', log) end
return { due, at[1], at[2] }`,
);

/**
 * Claims a name. KEYS: the claim, the counters. ARGV: holder, ttl, and the token that it must be above, if any, with how
 * far that may be ahead. Returns token and remaining milliseconds, nothing while another holds it, or the server's time
 * alone when `above` is too far ahead. Tokens are one series for all names, at least the server's clock in microseconds,
 * so that they also grow when everything was lost.
 */
export const claimScript: Script = script(
  2,
  `local claim, meta = unpack(KEYS)
local above = tonumber(ARGV[3] or -1)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if ARGV[4] and above > now + tonumber(ARGV[4]) then return { string.format('%.0f', now) } end
local held = redis.call('GET', claim)
if held then
  local at = string.find(held, ':', 1, true)
  if string.sub(held, at + 1) ~= ARGV[1] then return false end
  local token = string.sub(held, 1, at - 1)
  if tonumber(token) > above then
    redis.call('PEXPIRE', claim, ARGV[2])
    return { token, redis.call('PTTL', claim) }
  end
end
local last = tonumber(redis.call('HGET', meta, 'token') or 0)
local token = math.max(last + 1, now, above + 1)
local text = string.format('%.0f', token)
redis.call('SET', claim, text .. ':' .. ARGV[1], 'PX', ARGV[2])
redis.call('HSET', meta, 'token', text)
return { text, redis.call('PTTL', claim) }`,
);

/** Frees a name. KEYS: the claim. ARGV: the token. */
export const releaseScript: Script = script(
  1,
  `local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1] + 1) == ARGV[1] .. ':' then return redis.call('DEL', KEYS[1]) end
return 0`,
);

/**
 * Writes a value under a fence. KEYS: a hash. ARGV: value, token, holder. Returns what it has seen when that is newer.
 * Compares tokens as decimal digits, which is exact at any size.
 */
export const fencedSetScript: Script = script(
  1,
  `local seen = redis.call('HMGET', KEYS[1], 'token', 'holder')
local token, last = ARGV[2], seen[1]
if last and (#token < #last or (#token == #last and token < last) or (token == last and ARGV[3] ~= seen[2])) then
  return { last, seen[2] }
end
redis.call('HSET', KEYS[1], 'value', ARGV[1], 'token', token, 'holder', ARGV[3])
return false`,
);
