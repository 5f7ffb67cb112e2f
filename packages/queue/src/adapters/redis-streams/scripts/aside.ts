/**
 * How a group stops receiving while its consumers wait at the server: its position in both streams is set aside, in the hash
 * `aside:<group>`, and is the end of all streams meanwhile. A paused group has `paused` there. One with canceled messages,
 * which are in the set `c:<group>` until they are passed over, is read by scripts alone.
 */
export const aside = `
local endOfStreams = '18446744073709551615-18446744073709551615'
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
local function groupOf(from, group)
  for _, each in ipairs(redis.call('XINFO', 'GROUPS', from)) do
    local found = fieldsOf(each)
    if found.name == group then return found end
  end
end
local function isAside(group)
  return redis.call('EXISTS', base .. 'aside:' .. group) == 1
end
local function isPaused(group)
  return redis.call('HEXISTS', base .. 'aside:' .. group, 'paused') == 1
end
local function position(group)
  return redis.call('HGET', base .. 'aside:' .. group, 's') or groupOf(stream, group)['last-delivered-id']
end
-- What of a stream a group has left behind: after which entry it begins, and the last one
local function rangeOf(group, from)
  local name = from == stream and 's' or 'r'
  return unpack(redis.call('HMGET', base .. 'behind:' .. group, name, name .. 'end'))
end
-- Neither in hands nor filed nor settled, if it is there
local function isUnread(group, entry)
  if before(position(group), entry) then return true end
  local after, last = rangeOf(group, stream)
  return after and before(after, entry) and not before(last, entry)
end
-- The count of what was read, of Redis 7, makes how many wait known
local function move(from, group, to, read)
  if read and not redis.pcall('XGROUP', 'SETID', from, group, to, 'ENTRIESREAD', read).err then return end
  redis.call('XGROUP', 'SETID', from, group, to)
end
local function setAside(group)
  if isAside(group) then return end
  local kept = { s = groupOf(stream, group), r = groupOf(base .. 'r:' .. group, group) }
  for name, from in pairs({ s = stream, r = base .. 'r:' .. group }) do
    redis.call('HSET', base .. 'aside:' .. group, name, kept[name]['last-delivered-id'])
    if kept[name]['entries-read'] then
      redis.call('HSET', base .. 'aside:' .. group, name .. 'read', kept[name]['entries-read'])
    end
    move(from, group, endOfStreams)
  end
end
local function putBack(group)
  local kept = fieldsOf(redis.call('HGETALL', base .. 'aside:' .. group))
  for name, from in pairs({ s = stream, r = base .. 'r:' .. group }) do
    if kept[name] then move(from, group, kept[name], kept[name .. 'read']) end
  end
  redis.call('DEL', base .. 'aside:' .. group)
  -- Those that were passed over are unmarked there; one that somebody has deleted, here, by and by
  for _, entry in ipairs(redis.call('SRANDMEMBER', base .. 'c:' .. group, 10)) do
    if not isUnread(group, entry) then redis.call('SREM', base .. 'c:' .. group, entry) end
  end
end
`;
