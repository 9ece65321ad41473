-- SPDX-License-Identifier: MIT
--
-- Makes somebody a member of a group, unless that is full. Layouts: KEYS.md.
-- KEYS  1 group
-- ARGV  1 user  2 most members
-- Out   1: added; 0: was a member already; -1: it is full
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return -1 end
return redis.call('ZADD', KEYS[1], 0, ARGV[1])
