/**
 * What each call to a slot does first. Arguments: the tag of the slot's keys, the slot, what the keys of notes begin with. Key: the
 * hash of slots, the last of all.
 */
const guard = `
local slots, tag, slot, dirty = KEYS[#KEYS], ARGV[1], ARGV[2], ARGV[3]
local function foreign(key)
  if string.sub(key, 1, #tag) ~= tag then return redis.error_reply('OTHERSLOT ' .. key) end
end
local function guarded(written)
  local state = redis.call('HGET', slots, slot)
  if not state then return nil end
  if string.sub(state, 1, 1) ~= 'f' then return redis.error_reply('WRONGSHARD slot ' .. slot .. ' is not here, or not for long') end
  for _, key in ipairs(written) do
    redis.call('HSET', dirty .. string.sub(state, 3), key, redis.call('HINCRBY', slots, 'seq', 1))
  end
end
`;

/**
 * Runs commands, all or none. More arguments: how many, and for each how long it is and what it is. The server itself says which keys
 * a command has, and which of them it may write; it does not say that keys go to another database, nor which ones a pattern of SORT names.
 */
export const commandsSource: string = `${guard}
local function reaches(command)
  local name = string.upper(command[1])
  if name == 'MOVE' then return redis.error_reply('ELSEWHERE MOVE') end
  for i = 3, #command do
    local option, value = string.upper(command[i]), command[i + 1] or ''
    if name == 'COPY' and i > 3 and option == 'DB' then return redis.error_reply('ELSEWHERE COPY with DB') end
    if (name == 'SORT' or name == 'SORT_RO') and (option == 'BY' or option == 'GET') and string.find(value, '*', 1, true) then
      local other = foreign(value)
      if other then return other end
    end
  end
end
local at, commands, written = 5, {}, {}
for i = 1, tonumber(ARGV[4]) do
  local size = tonumber(ARGV[at])
  local command = {unpack(ARGV, at + 1, at + size)}
  at = at + 1 + size
  commands[i] = command
  local keys = redis.pcall('COMMAND', 'GETKEYSANDFLAGS', unpack(command))
  if keys.err then return redis.error_reply('NOKEYS ' .. tostring(keys.err)) end
  local elsewhere = reaches(command)
  if elsewhere then return elsewhere end
  for _, each in ipairs(keys) do
    local other = foreign(each[1])
    if other then return other end
    local isRead = false
    for _, flag in ipairs(each[2]) do
      if (type(flag) == 'table' and flag.ok or flag) == 'RO' then isRead = true end
    end
    if not isRead then written[#written + 1] = each[1] end
  end
end
if #written > 0 then
  local refused = guarded(written)
  if refused then return refused end
end
local replies = {}
for i, command in ipairs(commands) do replies[i] = redis.pcall(unpack(command)) end
return replies
`;

/** A script of the user. All its keys count as written, unless it runs where nothing can be. */
export function evalSource(source: string, isRead: boolean): string {
  return `${guard}
KEYS[#KEYS] = nil
for _, key in ipairs(KEYS) do
  local other = foreign(key)
  if other then return other end
end
local refused = ${isRead ? 'nil' : 'guarded(KEYS)'}
if refused then return refused end
for i = 1, 3 do table.remove(ARGV, 1) end
return (function()
${source}
end)()
`;
}
