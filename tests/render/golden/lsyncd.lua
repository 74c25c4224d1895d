-- One lsyncd pushes the content to one instance. Its unit says which one, and the list of them is burstd's.

local function given(name, pattern, default)
    local value = os.getenv(name) or default
    if value == nil or not value:find("^" .. pattern .. "$") then
        error(name .. " in the environment: expected " .. pattern .. ", found " .. tostring(value))
    end
    return value
end

local target = given("TARGET", "[%x:.]+") -- an address, never a name: the host key is known by it
local port = given("PORT", "%d+", "22")
local max_delete = given("MAX_DELETE", "%d+") -- files; of one transfer
local state = given("STATE", "/[%w/._-]+") -- known_hosts, log and status are there
local control = given("CONTROL", "/[%w/._-]+") -- short: a unix socket's path has at most 107 bytes
local identity = given("IDENTITY", "/[%w/._-]+")

local ssh = {
    "/usr/bin/ssh -F none",
    "-p " .. port,
    "-i " .. identity .. " -o IdentitiesOnly=yes -o BatchMode=yes",
    -- The one key that burstd gave this instance at its launch, or none.
    "-o StrictHostKeyChecking=yes -o UserKnownHostsFile=" .. state .. "/known_hosts -o GlobalKnownHostsFile=none",
    -- A line that is cut, not closed, is noticed after 15 seconds, and the transfer is tried again.
    "-o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=3",
    -- One connection for all transfers: a second less each over a long line.
    "-o ControlMaster=auto -o ControlPersist=60 -o ControlPath=" .. control .. "/%C",
}

settings {
    logfile = state .. "/" .. target .. ".log",
    statusFile = state .. "/" .. target .. ".status",
    statusInterval = 1,
    nodaemon = true,
    insist = true, -- a target that is dark at the start is tried again
}

sync {
    default.rsync,
    source = "/var/www/html",
    target = "mirror@" .. (target:find(":") and "[" .. target .. "]" or target) .. ":/", -- rrsync's / is its own folder
    delay = 1,
    collect = function(agent, exitcode)
        if exitcode == 25 then
            log("Error", "held at the --max-delete limit of " .. max_delete .. ": nothing more is sent until somebody has looked")
            terminate(25)
        end
        return default.collect(agent, exitcode)
    end,
    rsync = {
        archive = true,
        compress = true,
        protect_args = false, -- rrsync refuses it
        timeout = 60,
        rsh = table.concat(ssh, " "),
        _extra = { "--max-delete=" .. max_delete },
    },
}
