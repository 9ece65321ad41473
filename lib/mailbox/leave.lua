-- SPDX-License-Identifier: MIT
--
-- Removes a user from a group. Layouts: KEYS.md.
-- KEYS  1 group  2 letterbox:groups  3 groups:{user}
-- ARGV  1 name of the group  2 user
-- Out   1: removed; 0: was no member
local key, kind = KEYS[1], 'zset'
-- Part: kind.lua
if fault then return fault end
local removed = redis.call('ZREM', KEYS[1], ARGV[2])
redis.pcall('SREM', KEYS[3], ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 0 then redis.pcall('ZREM', KEYS[2], ARGV[1]) end
return removed
