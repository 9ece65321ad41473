-- SPDX-License-Identifier: MIT
--
-- Part of a step: tells every program to check `user` again. `notices` and `number_key` are the keys; they
-- live for `life`. If the programs can't be told, this is an error, so it comes before the change itself.
-- Layouts: KEYS.md.
-- (It begins with a write that takes no memory: then a Redis that is full does not refuse the rest.)
redis.call('PEXPIRE', number_key, life)
local number = redis.call('INCR', number_key)
redis.call('XADD', notices, 'MAXLEN', '~', 10000, '*', 'number', number, 'user', user)
redis.call('PEXPIRE', notices, life)
redis.call('PEXPIRE', number_key, life)
