import io,numpy as np,collections
from PIL import Image,ImageOps
import warnings; warnings.simplefilter("ignore")
exif=Image.Exif()
exif.update({0x10F: "maker", 0x112: 6, 0x11A: 72.0, 0x128: 2, 0x131: "program", 0x213: 1})
exif.get_ifd(0x8769).update({0x829A: 0.01, 0x9000: b"0230", 0xA002: 200})
im=Image.fromarray(np.random.default_rng(0).integers(0,255,(25,25,3)).astype(np.uint8)).resize((200,200))
b=io.BytesIO(); im.save(b,"JPEG",exif=exif); whole=b.getvalue(); start=whole.index(b"Exif"); print(len(exif.tobytes()),start)
rng=np.random.default_rng(0); c=collections.Counter(); firsts=[]
for n in range(2000):
    d=bytearray(whole)
    for p in start+rng.integers(0,len(exif.tobytes()),3): d[p]=rng.integers(256)
    try: ImageOps.exif_transpose(Image.open(io.BytesIO(bytes(d))))
    except Exception as e: c[type(e).__name__]+=1; firsts.append((n,type(e).__name__))
print(c,firsts[:10])
