-- wrk's visitors: each opens a page, looks at the whole answer, and thinks for about a second. A wrong answer is counted, not only a failed one.
local threads, bad, first_bad, by = {}, 0, "", {}
answered, wrong, example, served = 0, 0, "", ""

function setup(thread) table.insert(threads, thread) end

function init(args) math.randomseed(tonumber(args[1] or 1)); think = tonumber(args[2] or 1000) end

function request()
  return wrk.format("GET", string.format("/app/pages/page-%04d.txt", math.random(0, 999)))
end

function delay() return math.random(think / 2, think * 3 / 2) end

-- HAProxy writes the names of headers in small letters.
local function fault(status, headers, body)
  if status ~= 200 then return "status " .. status end
  if not headers["x-served-by"] then return "nobody says who served it" end
  local name, number = string.match(headers["x-path"] or "", "^/app/pages/(page%-(%d+)%.txt)$")
  if not name then return "another page" end
  local said, sum = string.match(body, "^(%S+)\n(%d+)\n%x+\n$")
  if said ~= name or tonumber(sum) ~= (tonumber(number) * 7919) % 1000003 then return "not the content of " .. name end
end

function response(status, headers, body)
  answered = answered + 1
  local found = fault(status, headers, body)
  if found then
    wrong = wrong + 1
    example = found
    return
  end
  local who = headers["x-served-by"]
  by[who] = (by[who] or 0) + 1
  local words = {}
  for name, count in pairs(by) do table.insert(words, string.format('"%s": %d', name, count)) end
  served = table.concat(words, ", ")
end

function done(summary, latency, requests)
  local thread, errors = threads[1], summary.errors
  io.write(string.format(
    '\nDRILL {"answered": %d, "wrong": %d, "example": "%s", "served": {%s}, "connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d, "slowest_ms": %.1f}\n',
    thread:get("answered"), thread:get("wrong"), thread:get("example"), thread:get("served"),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout, latency.max / 1000))
end
