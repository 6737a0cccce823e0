#!lua
-- Makes the farm's keys of schema 2 unless they exist, or those of schema 1 do: such a farm is drained by its own programs.
-- KEYS: 1 meta. ARGV: none.
-- Returns the farm's schema: anything but "2" is another program's.
local earlier = redis.call('HGET', (string.gsub(KEYS[1], ':v2:meta$', ':v1:meta')), 'schema')
if earlier then return earlier end
redis.call('HSETNX', KEYS[1], 'schema', '2')
return redis.call('HGET', KEYS[1], 'schema')
