-- SPDX-License-Identifier: MIT
--
-- Removes a user from the groups in a range of names, whether or not the user's own list has them. This
-- list goes with the last group. Layouts: KEYS.md.
-- KEYS  1 groups:{user}  2 letterbox:groups
-- ARGV  1 user  2 begin of the range, as of ZRANGEBYLEX  3 most groups that are looked at
-- Out   {last, name...}: the user was a member of these; it goes on after the group `last`; empty: done
local key, kind = KEYS[2], 'zset'
-- Part: kind.lua
if fault then return fault end
-- Part: names.lua
local most = tonumber(ARGV[3])
local names = redis.call('ZRANGEBYLEX', key, ARGV[2], '+', 'LIMIT', 0, most)
local out = {#names == most and names[most] or ''}
for _, name in ipairs(names) do
  local group = start .. 'group:' .. open .. name .. close
  if redis.pcall('ZREM', group, ARGV[1]) == 1 then
    out[#out + 1] = name
    if redis.call('EXISTS', group) == 0 then redis.call('ZREM', key, name) end
  end
end
if out[1] == '' then redis.call('UNLINK', KEYS[1]) end
return out
