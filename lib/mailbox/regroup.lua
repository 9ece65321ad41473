-- SPDX-License-Identifier: MIT
--
-- Makes users members of a group. Given a range of names, it also removes members in this range that
-- are not among these users. Each user's own list of groups changes in the same step. Layouts: KEYS.md.
-- KEYS  1 group  2 letterbox:groups
-- ARGV  1 name of the group  2 most members (0: no limit)  3 begin of the range, as of ZRANGEBYLEX;
--       empty: nobody is removed  4 its end  5 how many members of the range are looked at, at most
--       6... the users
-- Out   {added, removed, size, last}: the range goes on after the member `last`; without `last` it is
--       done. {-1, 0, size}: they don't all fit, and nothing was changed
local call = redis.call
-- Part: names.lua
local function own(user) return start .. 'groups:' .. open .. user .. close end

local users, removes = {unpack(ARGV, 6)}, ARGV[3] ~= ''
for i, kind in ipairs({'zset', 'zset'}) do
  local key = KEYS[i]
  -- Part: kind.lua
  if fault and i == 1 and #users == 0 and ARGV[3] == '-' then
    -- A whole group is removed, whatever is in its place.
    call('UNLINK', key)
    call('ZREM', KEYS[2], ARGV[1])
    return {0, 1, 0}
  end
  if fault then return fault end
end
local new, wanted = 0, {}
for _, user in ipairs(users) do
  local key, kind = own(user), 'set'
  -- Part: kind.lua
  if fault then return fault end
  wanted[user] = true
  if not call('ZSCORE', KEYS[1], user) then new = new + 1 end
end
local size, most = call('ZCARD', KEYS[1]), tonumber(ARGV[2])
if new > 0 and most > 0 and size + new > most then return {-1, 0, size} end

local gone, last = {}, nil
if removes then
  local members = call('ZRANGEBYLEX', KEYS[1], ARGV[3], ARGV[4], 'LIMIT', 0, ARGV[5])
  for _, member in ipairs(members) do
    if not wanted[member] then gone[#gone + 1] = member end
  end
  if #members == tonumber(ARGV[5]) then last = members[#members] end
end
if #gone > 0 then
  call('ZREM', KEYS[1], unpack(gone))
  for _, member in ipairs(gone) do redis.pcall('SREM', own(member), ARGV[1]) end
end
for _, user in ipairs(users) do
  call('ZADD', KEYS[1], 0, user)
  call('SADD', own(user), ARGV[1])
end
size = size + new - #gone
if #users > 0 then call('ZADD', KEYS[2], 0, ARGV[1]) end
if size == 0 then call('ZREM', KEYS[2], ARGV[1]) end
return {new, #gone, size, last}
