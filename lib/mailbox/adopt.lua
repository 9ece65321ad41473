-- SPDX-License-Identifier: MIT
--
-- Adopts a group that was made by hand, or by a version that kept no list of groups: notes it in its
-- members' own lists, some members at a time, and at last in the list of all groups. Layouts: KEYS.md.
-- KEYS  1 group  2 letterbox:groups
-- ARGV  1 name of the group  2 begin of the names, as of ZRANGEBYLEX  3 most members
-- Out   the member after which it goes on; empty: all are noted
for i, kind in ipairs({'zset', 'zset'}) do
  local key = KEYS[i]
  -- Part: kind.lua
  if fault then return fault end
end
-- Part: names.lua
local members = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[2], '+', 'LIMIT', 0, ARGV[3])
for _, member in ipairs(members) do
  redis.pcall('SADD', start .. 'groups:' .. open .. member .. close, ARGV[1])
end
if #members == tonumber(ARGV[3]) then return members[#members] end
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('ZADD', KEYS[2], 0, ARGV[1]) end
return ''
