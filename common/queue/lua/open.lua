#!lua
-- Makes the farm's keys of schema 1 unless they exist.
-- KEYS: 1 meta. ARGV: none.
-- Returns the farm's schema: anything but "1" is another program's.
redis.call('HSETNX', KEYS[1], 'schema', '1')
return redis.call('HGET', KEYS[1], 'schema')
