"""A hostile server: it tries to get out of its sandbox, and prints a line of JSON for each attempt.

Each attempt returns true if it got out. It raises OSError if it was refused. An attempt changes nothing outside of the
folder that the test made for it.
"""

import ctypes
import errno
import json
import mmap
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import time

GIVEN = json.loads(sys.argv[1])
OUTSIDE = GIVEN["outside"]
SECRET = OUTSIDE + "/secret"
ALLOWED = GIVEN["allowed"]
VICTIM = GIVEN["victim"]
OWN = os.environ["TMPDIR"]
LIBC = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"
ATTEMPTS = []


def attempt(function):
    ATTEMPTS.append(function)
    return function


def call(x86, other, *args):
    """Makes a system call. Returns true if the kernel examined it beyond permissions."""
    number = x86 if X86 else other
    result = LIBC.syscall(ctypes.c_long(number), *[ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args])
    if result >= 0:
        return True
    error = ctypes.get_errno()
    if error in (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP):
        raise OSError(error, os.strerror(error))
    return True


def read(path):
    with open(path, "rb") as file:
        return file.read(64)


def has_secret(path):
    return b"SECRET" in read(path)


# Files: reading.

@attempt
def read_file():
    return has_secret(SECRET)

@attempt
def read_with_dots():
    return has_secret(ALLOWED + "/../outside/secret")

@attempt
def read_through_given_link():
    return has_secret(ALLOWED + "/link")

@attempt
def read_through_own_link():
    os.symlink(SECRET, OWN + "/link")
    return has_secret(OWN + "/link")

@attempt
def read_through_hard_link():
    os.link(SECRET, OWN + "/hard")
    return has_secret(OWN + "/hard")

@attempt
def read_after_change_of_folder():
    os.chdir(OUTSIDE)
    return has_secret("secret")

@attempt
def read_through_path_descriptor():
    descriptor = os.open(SECRET, os.O_PATH)
    return has_secret("/proc/self/fd/%d" % descriptor)

@attempt
def read_through_folder_descriptor():
    folder = os.open(OUTSIDE, os.O_PATH | os.O_DIRECTORY)
    return b"SECRET" in os.read(os.open("secret", os.O_RDONLY, dir_fd=folder), 64)

@attempt
def read_through_handle():
    buffer = ctypes.create_string_buffer(struct.pack("II", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    return call(303, 264, -100, ctypes.c_char_p(SECRET.encode()), buffer, ctypes.byref(mount), 0)

@attempt
def read_root_of_init():
    return has_secret("/proc/1/root" + SECRET)

@attempt
def read_folder_of_init():
    return len(os.listdir("/proc/1/cwd")) > 0

@attempt
def list_outside():
    return "secret" in os.listdir(OUTSIDE)

@attempt
def list_home_of_user():
    return len(os.listdir(GIVEN["home"])) >= 0

@attempt
def list_temporary_folder():
    return len(os.listdir("/tmp")) >= 0

@attempt
def list_root():
    return len(os.listdir("/")) > 0

@attempt
def read_shared_memory():
    return has_secret(GIVEN["shared_memory"])

@attempt
def read_passwords():
    return len(read("/etc/shadow")) > 0

@attempt
def read_kernel_log():
    return os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK) >= 0

@attempt
def read_memory_device():
    return os.open("/dev/mem", os.O_RDONLY) >= 0

@attempt
def read_disk():
    disks = [name for name in ("vda", "sda", "nvme0n1", "xvda") if os.path.exists("/dev/" + name)]
    return os.open("/dev/" + (disks + ["loop-control"])[0], os.O_RDONLY) >= 0

@attempt
def open_terminal():
    return os.open("/dev/tty", os.O_RDWR) >= 0

@attempt
def run_outside_program():
    return subprocess.run([OUTSIDE + "/tool"], check=False).returncode == 0

@attempt
def see_that_a_file_exists():
    return os.stat(SECRET).st_size > 0

# Files: changing.

@attempt
def write_new_file():
    return os.open(OUTSIDE + "/new", os.O_WRONLY | os.O_CREAT) >= 0

@attempt
def write_existing_file():
    return os.open(OUTSIDE + "/victim", os.O_WRONLY | os.O_APPEND) >= 0

@attempt
def write_readable_folder():
    return os.open(ALLOWED + "/new", os.O_WRONLY | os.O_CREAT) >= 0

@attempt
def empty_file():
    os.truncate(OUTSIDE + "/victim", 0)
    return True

@attempt
def remove_file():
    os.unlink(OUTSIDE + "/remove")
    return True

@attempt
def move_file_out():
    os.rename(OUTSIDE + "/move", OWN + "/moved")
    return True

@attempt
def move_file_in():
    open(OWN + "/mine", "w").close()
    os.rename(OWN + "/mine", OUTSIDE + "/mine")
    return True

@attempt
def make_folder():
    os.mkdir(OUTSIDE + "/folder")
    return True

@attempt
def make_link():
    os.symlink("/", OUTSIDE + "/rootlink")
    return True

@attempt
def make_pipe():
    os.mkfifo(OUTSIDE + "/pipe")
    return True

@attempt
def change_mode():
    os.chmod(OUTSIDE + "/victim", 0o777)
    return True

@attempt
def change_times():
    os.utime(OUTSIDE + "/victim", (1, 1))
    return True

@attempt
def change_owner():
    os.chown(OUTSIDE + "/victim", os.getuid(), os.getgid())
    return True

@attempt
def change_attribute():
    os.setxattr(OUTSIDE + "/victim", "user.hostile", b"1")
    return True

@attempt
def make_device():
    os.mknod(OWN + "/disk", stat.S_IFBLK | 0o600, os.makedev(7, 0))
    return os.open(OWN + "/disk", os.O_RDONLY) >= 0

@attempt
def change_kernel_setting():
    path = "/proc/sys/kernel/core_pattern"
    return os.open(path, os.O_WRONLY) >= 0

# Other processes.

@attempt
def signal_process():
    os.kill(VICTIM, 0)
    return True

@attempt
def signal_all_processes():
    os.kill(-1, 0)
    return os.path.exists("/proc/%d" % VICTIM)

@attempt
def trace_process():
    return call(101, 117, 16, VICTIM, 0, 0)

@attempt
def trace_init():
    return call(101, 117, 16, 1, 0, 0)

@attempt
def read_memory_of_process():
    own = ctypes.create_string_buffer(8)
    vector = struct.pack("PL", ctypes.addressof(own), 8)
    return call(310, 270, VICTIM, vector, 1, vector, 1, 0)

@attempt
def read_variables_of_process():
    return b"VICTIM" in read("/proc/%d/environ" % VICTIM)

@attempt
def read_command_line_of_process():
    return len(read("/proc/%d/cmdline" % VICTIM)) > 0

@attempt
def find_process_in_list():
    return str(VICTIM) in os.listdir("/proc")

@attempt
def read_variables_of_init():
    return len(read("/proc/1/environ")) >= 0

@attempt
def write_memory_of_init():
    return os.open("/proc/1/mem", os.O_RDWR) >= 0

@attempt
def open_files_of_init():
    return len(os.readlink("/proc/1/fd/0")) > 0

@attempt
def hold_process():
    return os.pidfd_open(VICTIM) >= 0

@attempt
def take_descriptor_of_process():
    return call(438, 438, os.pidfd_open(os.getppid() or 1), 0, 0)

@attempt
def change_priority_of_process():
    os.setpriority(os.PRIO_PROCESS, VICTIM, os.getpriority(os.PRIO_PROCESS, VICTIM))
    return True

# Privileges.

@attempt
def have_capabilities():
    lines = [line.split() for line in open("/proc/self/status") if line.startswith("Cap")]
    return any(int(value, 16) for _, value in lines)

@attempt
def gain_privileges_with_a_program():
    return "NoNewPrivs:\t1" not in open("/proc/self/status").read()

@attempt
def raise_own_priority():
    os.setpriority(os.PRIO_PROCESS, 0, -5)
    return True

@attempt
def run_in_real_time():
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    return True

@attempt
def lift_own_limits():
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (4096, 4096))
    return True

@attempt
def become_another_user():
    os.setuid(12345)
    return True

# System calls.

@attempt
def load_bpf():
    return call(321, 280, 5, 0, 0)

@attempt
def handle_page_faults():
    return call(323, 282, 0x1)

@attempt
def use_keyring():
    return call(250, 219, 0, -3, 0)

@attempt
def add_key():
    return call(248, 217, ctypes.c_char_p(b"user"), ctypes.c_char_p(b"x"), ctypes.c_char_p(b"x"), 1, -4)

@attempt
def use_io_uring():
    return call(425, 425, 1, 0)

@attempt
def measure_events():
    return call(298, 241, 0, 0, -1, -1, 0)

@attempt
def make_user_namespace():
    return call(272, 97, 0x10000000)

@attempt
def clone_into_user_namespace():
    pid = LIBC.syscall(ctypes.c_long(56 if X86 else 220), ctypes.c_long(0x10000000 | 17), 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    if pid < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    os.waitpid(pid, 0)
    return True

@attempt
def clone_with_unseen_flags():
    return call(435, 435, 0, 0)

@attempt
def enter_namespace():
    return call(308, 268, os.open("/proc/self/ns/net", os.O_RDONLY), 0)

@attempt
def mount_folder():
    return call(165, 40, ctypes.c_char_p(OUTSIDE.encode()), ctypes.c_char_p(OWN.encode()), 0, 4096, 0)

@attempt
def change_root():
    return call(161, 51, ctypes.c_char_p(OWN.encode()))

@attempt
def replace_root():
    return call(155, 41, 0, 0)

@attempt
def load_kernel():
    return call(246, 104, 0, 99999, 0, 0)

@attempt
def load_module():
    return call(175, 105, 0, 0, 0)

@attempt
def restart_machine():
    return call(169, 142, 0, 0, 0, 0)

@attempt
def use_swap():
    return call(167, 224, 0, 0)

@attempt
def set_clock():
    return call(227, 112, 0, 0)

@attempt
def set_host_name():
    return call(170, 161, 0, 9999)

@attempt
def type_into_terminal():
    return call(16, 29, 0, 0x5412, 0)

@attempt
def use_other_abi():
    return call(0x40000000 | 521, 117, 16, VICTIM, 0, 0)

# Network.

def connects(family, kind, address):
    connection = socket.socket(family, kind)
    connection.settimeout(5)
    connection.connect(address)
    return connection.recv(5) == b"HELLO"

@attempt
def connect_to_this_machine():
    return connects(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", GIVEN["port"]))

@attempt
def connect_to_this_machine_by_another_address():
    return connects(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.2", GIVEN["port"]))

@attempt
def connect_to_listed_host_at_another_port():
    return connects(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 443))

@attempt
def connect_to_an_address_of_no_name():
    return connects(socket.AF_INET, socket.SOCK_STREAM, ("127.64.0.200", 443))

@attempt
def connect_to_a_name_of_this_machine():
    return connects(socket.AF_INET, socket.SOCK_STREAM, (GIVEN["alias"], GIVEN["port"]))

@attempt
def reach_a_network():
    connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    connection.connect(("192.0.2.1", 9))
    return True

@attempt
def reach_a_network_of_ipv6():
    connection = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    connection.connect(("2001:db8::1", 9))
    return True

@attempt
def send_datagram_to_this_machine():
    connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    connection.settimeout(0.5)
    connection.sendto(b"SECRET", ("127.0.0.1", GIVEN["datagram_port"]))
    return connection.recv(5) == b"HELLO"

@attempt
def look_up_a_name_that_carries_data():
    return len(socket.getaddrinfo("secret-data.hostile.example", 443)) > 0

@attempt
def ask_another_resolver():
    query = b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06secret\x07hostile\x07example\x00\x00\x10\x00\x01"
    connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    connection.settimeout(5)
    connection.sendto(query, ("127.0.0.53", 53))
    answer = connection.recv(512)
    return answer[3] & 0xF == 0 or answer[7] > 0

@attempt
def make_raw_socket():
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).fileno() >= 0

@attempt
def make_packet_socket():
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).fileno() >= 0

@attempt
def make_machine_socket():
    return socket.socket(40, socket.SOCK_STREAM).fileno() >= 0

@attempt
def make_crypto_socket():
    return socket.socket(38, socket.SOCK_SEQPACKET).fileno() >= 0

@attempt
def connect_to_socket_file():
    return connects(socket.AF_UNIX, socket.SOCK_STREAM, GIVEN["socket"])

@attempt
def connect_to_abstract_socket():
    return connects(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + GIVEN["abstract_socket"])

@attempt
def add_address():
    message = struct.pack("=IHHII", 40, 20, 0x505, 1, 0) + struct.pack("=BBBBI", 2, 32, 0, 254, 1)
    message += struct.pack("=HH4sHH4s", 8, 2, bytes([127, 99, 0, 1]), 8, 1, bytes([127, 99, 0, 1]))
    connection = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    connection.send(message)
    return struct.unpack("=i", connection.recv(512)[16:20])[0] == 0

# Resources.

@attempt
def use_private_memory():
    return len(bytearray(GIVEN["memory"] * 2)) > 0

@attempt
def start_many_processes():
    most, children = GIVEN["processes"] + 400, []
    try:
        for _ in range(most):
            pid = os.fork()
            if pid == 0:
                signal.pause()
            children.append(pid)
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return len(children) == most

@attempt
def use_shared_memory():
    return len(mmap.mmap(-1, GIVEN["memory"] * 2)) > 0

@attempt
def use_the_processor():
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    return True

@attempt
def outlive_the_sandbox():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            null = os.open("/dev/null", os.O_RDWR)
            for stream in range(3):
                os.dup2(null, stream)
            os.execvp("sleep", ["sleep", GIVEN["marker"]])
        os._exit(0)
    return True


def run(function):
    try:
        got_out, detail = bool(function()), ""
    except (OSError, MemoryError, ValueError, subprocess.SubprocessError) as error:
        got_out, detail = False, str(error)
    print(json.dumps({"attempt": function.__name__, "got_out": got_out, "detail": detail}), flush=True)


def main():
    chosen = GIVEN.get("only")
    for function in ATTEMPTS:
        if chosen is not None and function.__name__ not in chosen:
            continue
        # A process for each attempt: some change it. A process that hangs counts as refused.
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            try:
                run(function)
            finally:
                os._exit(0)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            print(json.dumps({"attempt": function.__name__, "got_out": False, "detail": "killed"}), flush=True)


main()
