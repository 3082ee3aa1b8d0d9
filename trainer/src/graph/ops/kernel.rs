//! libtorch's convolution, around what libtorch 2.11 gets wrong of it on a processor, over channels that lie side by side in
//! memory.

use tch::{Device, Kind, TchError, Tensor};

/// A weight, how it moves over an image, and what is added. The lists have an entry per spatial axis.
pub(super) struct Kernel<'a> {
    pub weight: &'a Tensor,
    pub bias: Option<&'a Tensor>,
    pub strides: &'a [i64],
    /// Before and after alike.
    pub padding: &'a [i64],
    pub dilations: &'a [i64],
    pub groups: i64,
}

impl Kernel<'_> {
    /// The convolution of images `[N, C, ...]`.
    pub(super) fn over(&self, image: &Tensor) -> Result<Tensor, TchError> {
        if image.device() != Device::Cpu {
            return self.plainly(image);
        }
        if self.passes_over_pixels() {
            return self.over_what_it_meets(image);
        }
        if self.dilations.iter().any(|&dilation| dilation > 1) && image.kind() == Kind::BFloat16 {
            return self.in_32_bits(image);
        }
        self.plainly(image)
    }

    fn plainly(&self, image: &Tensor) -> Result<Tensor, TchError> {
        let none = vec![0; self.strides.len()];
        let (strides, padding, dilations) = (self.strides, self.padding, self.dilations);
        image.f_convolution(self.weight, self.bias, strides, padding, dilations, false, &none, self.groups)
    }

    fn passes_over_pixels(&self) -> bool {
        let single = self.weight.size().iter().skip(2).all(|&extent| extent == 1);
        let unpadded = self.padding.iter().all(|&pixels| pixels == 0);
        single && unpadded && self.strides.iter().any(|&stride| stride > 1)
    }

    /// libtorch writes past the end of its memory where a kernel of one pixel strides over few channels (2 to 12 were seen to).
    /// Without the pixels that it passes over it need not stride.
    fn over_what_it_meets(&self, image: &Tensor) -> Result<Tensor, TchError> {
        let mut met = image.shallow_clone();
        for (axis, &stride) in (2..).zip(self.strides) {
            met = met.f_slice(axis, None, None, stride)?;
        }
        Kernel { strides: &vec![1; self.strides.len()], ..*self }.over(&met)
    }

    /// The gradients of dilated kernels come out wrong in bfloat16, or as no numbers at all, unless the number of channels suits
    /// libtorch.
    fn in_32_bits(&self, image: &Tensor) -> Result<Tensor, TchError> {
        let wide = |tensor: &Tensor| tensor.f_to_kind(Kind::Float);
        let bias = self.bias.map(wide).transpose()?;
        Kernel { weight: &wide(self.weight)?, bias: bias.as_ref(), ..*self }
            .plainly(&wide(image)?)?
            .f_to_kind(Kind::BFloat16)
    }
}
