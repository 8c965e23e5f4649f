"""Closes a gap of pynetdicom: its reactor thread says that it is paused a moment before it is. On a busy machine it may wake in that
moment, take the reply that send_c_store and its like wait for, and leave them waiting until their timeout ("Received unexpected
C-STORE service message"). So each of them first stops the reactor and gives it time to come to rest."""

import functools
import time

from pynetdicom.association import Association


def _calmly(send):
    @functools.wraps(send)
    def calm(self, *args, **kwargs):
        if self.is_established:  # else it raises, and nobody would start the reactor again
            self._reactor_checkpoint.clear()
            time.sleep(0.02)
        return send(self, *args, **kwargs)

    return calm


for _name in ("send_c_echo", "send_c_store", "send_c_find", "send_c_get", "send_c_move", "send_n_action"):
    setattr(Association, _name, _calmly(getattr(Association, _name)))
