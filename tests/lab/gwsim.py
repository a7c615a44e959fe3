# SPDX-License-Identifier: BSD-3-Clause
"""
gwsim (bench/gwsim) and callers (bench/callers) inside a namespace: emulated gateways with queue, servers and ways of
being full, which can be changed while they run, and Poisson callers that follow a plan.
"""
import json
import select
import subprocess
import tempfile

from .daemon import BUILD

GWSIM = BUILD / "bench" / "gwsim"
CALLERS = BUILD / "bench" / "callers"


def words(settings):
    """`{"retry_after": 5}` and `{"100": "never"}` as gwsim reads them."""
    return [f"{key.replace('_', '-')}={value}" for key, value in settings.items()]


class Gwsim:
    """
    One process for all `gateways` (name -> "address:port", or (address, settings)). Ready when it returns; ends with
    stop() or when its maker does. What the words mean: `gwsim -h`.
    """

    def __init__(self, ns, gateways, seed=1, **settings):
        argv = []
        for name, gateway in gateways.items():
            address, own = (gateway, {}) if isinstance(gateway, str) else gateway
            argv += [",", name, address, *words(settings | own)]
        self.proc = ns.popen(str(GWSIM), "-s", str(seed), *argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True)
        self._answer()

    def _answer(self, seconds=10):
        if not select.select([self.proc.stdout], [], [], seconds)[0]:
            raise TimeoutError("gwsim does not answer")
        line = self.proc.stdout.readline()
        if not line:
            raise RuntimeError(f"gwsim ended with {self.proc.wait()}")
        return json.loads(line)

    def _ask(self, *command):
        self.proc.stdin.write(" ".join(command) + "\n")
        self.proc.stdin.flush()
        return self._answer()

    def set(self, name, **settings):
        """Change a gateway, or "all", from now on: set("g1", queue=0), set("g1", mute="on")."""
        answer = self._ask("set", name, *words(settings))
        if "error" in answer:
            raise ValueError(f"gwsim: {settings}: {answer['error']}")

    def reset(self):
        """Counters and series start again."""
        self._ask("reset")

    def show(self, name=None):
        """What was counted: of one gateway, or name -> counters."""
        gateways = self._ask("show")["gateways"]
        return gateways[name] if name else gateways

    def stop(self):
        """End it and give what was counted."""
        gateways = self.show()
        self.proc.stdin.close()
        self.proc.wait(30)
        return gateways


class Callers:
    """One `callers` process with a plan (bench/callers/plan.c). `on_step(number)` runs as each step begins."""

    def __init__(self, ns, plan):
        self.file = tempfile.NamedTemporaryFile("w", suffix=".json")
        json.dump(plan, self.file)
        self.file.flush()
        self.limit = sum(step["seconds"] for step in plan["steps"]) + plan.get("drain", 3) + 30
        self.proc = ns.popen(str(CALLERS), self.file.name, stdout=subprocess.PIPE, text=True)

    def wait(self, on_step=lambda number: None):
        """Until the plan is over; the result."""
        with self.file:
            while select.select([self.proc.stdout], [], [], self.limit)[0]:
                line = self.proc.stdout.readline()
                if not line:
                    raise RuntimeError(f"callers ended with {self.proc.wait()}")
                said = json.loads(line)
                if "result" in said:
                    self.proc.wait(30)
                    return said["result"]
                on_step(said["step"])
        self.proc.kill()
        raise TimeoutError("callers do not end")
